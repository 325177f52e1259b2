#include "core/pipeline/interactive_run.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/media/frame_source.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "core/pipeline/small_request.h"
#include "support/stop_after.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

Tensor all_frames(const fs::path& file) {
  VideoReader video(file);
  std::vector<int64_t> numbers(static_cast<size_t>(video.info().frames));
  std::iota(numbers.begin(), numbers.end(), 0);
  return frames_at(video, numbers, [](const Tensor& pixels) { return pixels; });
}

/// An interactive run of the small model; its joined file is story.mkv.
struct SmallRun {
  explicit SmallRun(FieldTexts flags = {}) {
    flags["output"] = (folder / "story.mkv").string();
    flags["lossless"] = "true";
    flags["random_weights"] = "true";
    Request request = test::small_request(folder, at::kCPU, flags, Task::interactive);
    request.generation.repetitions.image.assign(11, 1);
    const Config config = resolve_settings({.flags = flags, .config = "tiny"}).settings.config;
    model.emplace(request.setup);
    pipeline.emplace(*model);
    run.emplace(*pipeline, std::move(request), config);
  }

  std::vector<fs::path> step(const std::string& prompt) {
    SilentProgress progress;
    std::vector<fs::path> files;
    for (const InteractiveFile& made : run->step(prompt, progress)) files.push_back(made.file);
    return files;
  }

  test::TempDir folder;
  std::optional<Model> model;
  std::optional<Pipeline> pipeline;
  std::optional<InteractiveRun> run;
};

}  // namespace

TEST_CASE("a run from text: each clip is a file, and the joined file shows them one after the other", "[engine]") {
  SmallRun small;
  const test::TempDir& folder = small.folder;
  CHECK(small.step("a red ball") == std::vector<fs::path>{folder / "story-000.mkv"});
  CHECK(fs::exists(folder / "story-000.mkv"));
  CHECK(small.step("a blue ball") == std::vector<fs::path>{folder / "story-001.mkv"});
  const auto joined = small.run->finish();
  REQUIRE(joined);
  CHECK(joined->file == folder / "story.mkv");
  const Tensor first = all_frames(folder / "story-000.mkv");
  const Tensor second = all_frames(folder / "story-001.mkv");
  CHECK(first.size(0) == 33);
  CHECK(second.size(0) == 32);
  CHECK(test::same(all_frames(folder / "story.mkv"), at::cat({first, second})));
}

TEST_CASE("a run from a video begins with that video as the VAE shows it, unless only what is new is wanted",
          "[engine]") {
  const test::TempDir source;
  test::write_video(source / "source.mp4", test::numbered_frames(40, 192, 336));
  const bool only_new = GENERATE(false, true);
  SmallRun small({{"video", (source / "source.mp4").string()}, {"only_new", only_new ? "true" : "false"}});
  const test::TempDir& folder = small.folder;
  const std::vector<fs::path> both = {folder / "story-000.mkv", folder / "story-001.mkv"};
  CHECK(small.step("a red ball") == both);
  small.run->finish();
  CHECK(all_frames(both[0]).size(0) == 33);
  CHECK(all_frames(folder / "story.mkv").size(0) == (only_new ? 32 : 65));
}

TEST_CASE("a decode that runs out of memory and begins again shows and counts every frame once", "[engine]") {
  SmallRun small;
  test::NoMemoryIn progress(Stage::decode, "frame", 1);
  small.run->step("a red ball", progress);
  small.run->finish();
  CHECK(progress.has_thrown_all());
  CHECK(progress.share(Stage::decode) == Approx(1));
  const Tensor clip = all_frames(small.folder / "story-000.mkv");
  CHECK(clip.size(0) == 33);
  CHECK(test::same(all_frames(small.folder / "story.mkv"), clip));
}

TEST_CASE("a run goes on after a decode that had to give the transformer up", "[engine]") {
  SmallRun small, undisturbed;
  test::NoMemoryIn progress(Stage::decode, "frame", 1);
  small.run->step("a red ball", progress);
  small.step("a blue ball");
  undisturbed.step("a red ball");
  undisturbed.step("a blue ball");
  CHECK(test::same(all_frames(small.folder / "story-001.mkv"), all_frames(undisturbed.folder / "story-001.mkv")));
}

TEST_CASE("a stop keeps the clips before, joined", "[engine]") {
  SmallRun small;
  small.step("a red ball");
  test::StopAfter stop(0);
  CHECK(test::error_of([&] { small.run->step("a blue ball", stop); }).kind() == ErrorKind::interrupted);
  small.run->finish();
  CHECK(all_frames(small.folder / "story.mkv").size(0) == 33);
  CHECK(test::names_in(small.folder.path()) == std::vector<std::string>{"story-000.mkv", "story.mkv"});
}

TEST_CASE("a clip whose name is taken is refused before anything is made", "[engine]") {
  SmallRun small;
  test::write_text(small.folder / "story-000.mkv", "mine");
  CHECK(test::error_of([&] { small.run->check("a red ball"); }).kind() == ErrorKind::output);
}

TEST_CASE("each clip's metadata holds its own prompt, all name the command", "[engine]") {
  SmallRun small;
  small.step("a red ball");
  small.step("a blue ball");
  small.run->finish();
  const auto comment = parse_comment(read_comment(small.folder / "story-001.mkv"));
  CHECK(nlohmann::json::parse(comment->settings_json)["prompt"]["prompt"] == "a blue ball");
  for (const char* file : {"story-000.mkv", "story-001.mkv", "story.mkv"}) {
    CHECK(parse_comment(read_comment(small.folder / file))->command == "interact");
  }
}

TEST_CASE("without a step nothing is joined", "[engine]") {
  SmallRun small;
  CHECK_FALSE(small.run->finish().has_value());
  CHECK(test::names_in(small.folder.path()).empty());
}

}  // namespace faststar
