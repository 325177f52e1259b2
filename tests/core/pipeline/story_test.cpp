#include "core/pipeline/story.h"

#include <ATen/ATen.h>

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

/// A job without prompt of the small model; its joined file is story.mkv.
Request story_job(const test::TempDir& folder, FieldTexts flags = {}) {
  flags["output"] = (folder / "story.mkv").string();
  flags["lossless"] = "true";
  Request job = test::small_request(folder, at::kCPU, flags, Task::interactive);
  job.generation.repetitions.image.assign(11, 1);
  return job;
}

StoryLine line(const std::string& prompt) {
  return {.prompt = prompt, .model_prompt = prompt, .settings_json = fmt::format(R"({{"prompt": "{}"}})", prompt)};
}

/// A story of story_job().
struct SmallStory {
  test::TempDir folder;
  Request job = story_job(folder);
  Model model{job.setup};
  Story story{model, job};
};

}  // namespace

TEST_CASE("a story from words: each clip is a file, and the joined file shows them one after the other", "[model]") {
  const test::TempDir folder;
  Request job = story_job(folder);
  job.outputs.front().settings_json.clear();  // each line has its own
  Model model(job.setup);
  Story story(model, job);
  SilentProgress progress;
  CHECK(story.tell(line("a red ball"), progress) == std::vector<fs::path>{folder / "story-000.mkv"});
  CHECK(fs::exists(folder / "story-000.mkv"));
  CHECK(story.tell(line("a blue ball"), progress) == std::vector<fs::path>{folder / "story-001.mkv"});
  CHECK(story.finish() == folder / "story.mkv");
  const Tensor first = all_frames(folder / "story-000.mkv");
  const Tensor second = all_frames(folder / "story-001.mkv");
  CHECK(first.size(0) == 33);
  CHECK(second.size(0) == 32);
  CHECK(test::same(all_frames(folder / "story.mkv"), at::cat({first, second})));
}

TEST_CASE("a story from a video begins with that video as the VAE shows it, unless only what is new is wanted",
          "[model]") {
  const test::TempDir folder;
  test::write_video(folder / "source.mp4", test::numbered_frames(40, 192, 336));
  const bool only_new = GENERATE(false, true);
  const Request job =
      story_job(folder, {{"video", (folder / "source.mp4").string()}, {"only_new", only_new ? "true" : "false"}});
  Model model(job.setup);
  Story story(model, job);
  SilentProgress progress;
  const std::vector<fs::path> both = {folder / "story-000.mkv", folder / "story-001.mkv"};
  CHECK(story.tell(line("a red ball"), progress) == both);
  story.finish();
  CHECK(all_frames(both[0]).size(0) == 33);
  CHECK(all_frames(folder / "story.mkv").size(0) == (only_new ? 32 : 65));
}

/// Runs out of memory once, after the first slice of a decode.
class OutOfMemoryOnce final : public Progress {
 public:
  void plan(Stage stage, double cost) override { planned_[stage] += cost; }
  void advance(Stage stage, double cost, std::string_view) override {
    done_[stage] += cost;
    if (stage != Stage::decode || thrown_) return;
    thrown_ = true;
    TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory");
  }
  bool stop_requested() const override { return false; }
  bool has_thrown() const { return thrown_; }
  double share(Stage stage) const { return done_.at(stage) / planned_.at(stage); }

 private:
  std::map<Stage, double> planned_, done_;
  bool thrown_ = false;
};

TEST_CASE("a decode that runs out of memory and begins again shows and counts every frame once", "[model]") {
  SmallStory small;
  auto& [folder, job, model, story] = small;
  OutOfMemoryOnce progress;
  story.tell(line("a red ball"), progress);
  story.finish();
  CHECK(progress.has_thrown());
  CHECK(progress.share(Stage::decode) == Approx(1));
  const Tensor clip = all_frames(folder / "story-000.mkv");
  CHECK(clip.size(0) == 33);
  CHECK(test::same(all_frames(folder / "story.mkv"), clip));
}

TEST_CASE("a stop keeps the clips before, joined", "[model]") {
  SmallStory small;
  auto& [folder, job, model, story] = small;
  SilentProgress progress;
  story.tell(line("a red ball"), progress);
  test::StopAfter stop(0);
  CHECK(test::error_of([&] { story.tell(line("a blue ball"), stop); }).kind() == ErrorKind::interrupted);
  story.finish();
  CHECK(all_frames(folder / "story.mkv").size(0) == 33);
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"story-000.mkv", "story.mkv"});
}

TEST_CASE("a clip whose name is taken is refused before anything is made", "[model]") {
  const test::TempDir folder;
  const Request job = story_job(folder);
  test::write_text(folder / "story-000.mkv", "mine");
  Model model(job.setup);
  const Story story(model, job);
  CHECK(test::error_of([&] { story.check(line("a red ball")); }).kind() == ErrorKind::output);
}

TEST_CASE("each clip's metadata holds its own prompt, all name the command", "[model]") {
  SmallStory small;
  auto& [folder, job, model, story] = small;
  SilentProgress progress;
  story.tell(line("a red ball"), progress);
  story.tell(line("a blue ball"), progress);
  story.finish();
  CHECK(parse_comment(read_comment(folder / "story-001.mkv"))->settings_json == R"({"prompt":"a blue ball"})");
  for (const char* file : {"story-000.mkv", "story-001.mkv", "story.mkv"}) {
    CHECK(parse_comment(read_comment(folder / file))->command == "interact");
  }
}

TEST_CASE("nothing told is nothing joined", "[model]") {
  const test::TempDir folder;
  const Request job = story_job(folder);
  Model model(job.setup);
  CHECK_FALSE(Story(model, job).finish().has_value());
  CHECK(test::names_in(folder.path()).empty());
}

}  // namespace faststar
