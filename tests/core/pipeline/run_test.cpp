#include "core/pipeline/run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/log.h"
#include "core/base/weights/safetensors.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "core/model/reduce/faststar.h"
#include "core/pipeline/kept_codes.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/small_request.h"
#include "support/full_disk.h"
#include "support/process_state.h"
#include "support/stop_after.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

/// Adds up what it hears.
class SumProgress final : public Progress {
 public:
  void plan(Stage, double cost) override { planned += cost; }
  void advance(Stage, double cost, std::string_view) override { advanced += cost; }
  bool stop_requested() const override { return false; }
  double planned = 0;
  double advanced = 0;
};

TEST_CASE("a prompt becomes a video of the planned size, length and rate", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const test::TempDir folder;
  test::make(test::small_request(folder, device));
  const VideoReader video(folder / "v.mp4");
  CHECK(video.info().width == 336);
  CHECK(video.info().height == 192);
  CHECK(video.info().frames == 17);
  CHECK(video.info().fps == 16);
  CHECK(parse_comment(read_comment(folder / "v.mp4"))->command == "t2v");
}

TEST_CASE("the same seed gives the same file, byte by byte", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const test::TempDir folder;
  const auto made = [&](const char* name, const char* seed) {
    FieldTexts flags = test::exact_output(folder / name);
    flags["seed"] = seed;
    test::make(test::small_request(folder, device, std::move(flags)));
    return test::read_text(folder / name);
  };
  const std::string first = made("first.mkv", "7");
  CHECK(first == made("second.mkv", "7"));
  CHECK(first != made("other.mkv", "8"));
}

TEST_CASE("an output that ends in a slash is a folder of frames", "[engine]") {
  const test::TempDir folder;
  test::make(test::small_request(folder, at::kCPU, {{"output", (folder / "frames/").string()}}));
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"frames"});
  CHECK(test::names_in(folder / "frames").size() == 17);
}

TEST_CASE("a picture is one frame", "[engine]") {
  const test::TempDir folder;
  test::make(test::small_request(folder, at::kCPU, {}, Task::text_to_image));
  CHECK(read_image(folder / "p.png").sizes() == at::IntArrayRef{192, 336, 3});
}

TEST_CASE("a disk too small for a run's files is refused by folder, before anything is made", "[engine]") {
  const test::TempDir folder;
  Request job = test::small_request(folder, at::kCPU);
  check_disk_space(job);
  job.size.height = job.size.width = int64_t{1} << 24;  // larger than any disk
  const Error error = test::error_of([&] { check_disk_space(job); });
  CHECK(error.kind() == ErrorKind::output);
  CHECK_THAT(error.what(), Catch::Matchers::StartsWith(folder.path().string() + ": the disk is full: at least"));
}

TEST_CASE("codes, frames and a lossless file are written beside each other", "[engine]") {
  const test::TempDir folder;
  test::make(test::small_request(folder, at::kCPU,
                                 {{"output", (folder / "v.mkv").string()},
                                  {"lossless", "true"},
                                  {"frames_dir", (folder / "frames").string()},
                                  {"save_codes", (folder / "codes.safetensors").string()},
                                  {"negative", "a much longer text about nothing"}}));
  CHECK(test::names_in(folder / "frames").size() == 17);
  const auto codes = open_safetensors(folder / "codes.safetensors");
  CHECK(codes->tensors().at("clip.0.summed_codes").shape == std::vector<int64_t>{1, 64, 1, 12, 21});
  CHECK(codes->tensors().at("clip.1.summed_codes").shape == std::vector<int64_t>{1, 64, 4, 12, 21});
  CHECK(codes->metadata().contains("faststar"));
}

TEST_CASE("a trace holds what the decisions were made from", "[engine]") {
  const test::TempDir folder;
  test::make(test::small_request(folder, at::kCPU,
                                 {{"reduce", "faststar"}, {"trace", (folder / "trace.safetensors").string()}}));
  const auto trace = open_safetensors(folder / "trace.safetensors");
  const auto json = nlohmann::json::parse(trace->metadata().at("faststar"));
  CHECK(json["settings"]["reduction"]["method"] == "faststar");
  CHECK(json["seed"] == 7);
  CHECK(json["steps"].size() == 40);
  const nlohmann::json last = json["steps"].back();
  CHECK(last["scale"] == 21);
  CHECK(last["tokens"] == 4 * 12 * 21);
  CHECK(last["kept"] == 1008 - 705);
  CHECK(last["milliseconds"] > 0);
  const auto read = [&](const std::string& name) {
    const std::string full = "step.039." + name;
    return trace->read(full, trace->tensors().at(full), at::kCPU).clone();
  };
  const Tensor mask = read("feature_mask").gt(0);
  CHECK(test::same(read("token_mask").flatten().nonzero().squeeze(1).to(at::kInt), read("kept")));
  CHECK(test::same(read("output_features").masked_select(~mask), read("input_features").masked_select(~mask)));
  const SimilarityScore again =
      similarity_score({read("input_features"), read("prev_features"), read("reference_features")}, NormDegree::two);
  CHECK(test::same(again.score, read("score")));
  CHECK(test::same(again.spatial, read("spatial_similarity")));
  CHECK(read("codes").sizes() == at::IntArrayRef{1, 64, 4, 12, 21});
}

TEST_CASE("frame 0 is a copy of frame 1 unless it is kept", "[engine]") {
  const test::TempDir folder;
  const auto frame = [&](const char* name, int index) {
    return read_image(folder.path() / name / fmt::format("{:06}.png", index));
  };
  test::make(test::small_request(folder, at::kCPU, {{"frames_dir", (folder / "copied").string()}}));
  test::make(test::small_request(
      folder, at::kCPU, {{"overwrite", "true"}, {"first_frame", "keep"}, {"frames_dir", (folder / "kept").string()}}));
  CHECK(test::same(frame("copied", 0), frame("copied", 1)));
  CHECK_FALSE(test::same(frame("kept", 0), frame("kept", 1)));
  CHECK(test::same(frame("kept", 1), frame("copied", 1)));
}

TEST_CASE("a stop ends the run after a step and leaves no file", "[engine]") {
  const test::TempDir folder;
  test::StopAfter progress(5, Stage::tokens);
  const Error error = test::error_of([&] { test::run(test::small_request(folder, at::kCPU), progress); });
  CHECK(error.kind() == ErrorKind::interrupted);
  CHECK(test::names_in(folder.path()).empty());
}

TEST_CASE("the costs that a run reports add up to those it announced", "[engine]") {
  const test::TempDir folder;
  Request job = test::small_request(folder, at::kCPU, {{"count", "2"}});
  SumProgress progress;
  std::vector<fs::path> files;
  test::run(job, progress, [&](const fs::path& file) { files.push_back(file); });
  CHECK(files.size() == 2);
  CHECK(fs::exists(files.back()));
  CHECK(progress.advanced == Approx(progress.planned));
}

TEST_CASE("a prompt over the limit is cut with one warning that shows what was cut", "[engine]") {
  const test::TempDir folder;
  Request job = test::small_request(folder, at::kCPU);
  job.model_prompt = "a red ball and then some words that nobody will see";
  job.text_limit = 8;
  const test::CollectWarnings warnings;
  Model model(job.setup);
  make_plan(Pipeline(model), job);
  REQUIRE(warnings.lines().size() == 1);
  CHECK(warnings.has("nobody will see"));
}

TEST_CASE("a disk that fills while a video is written leaves no file and is an output error", "[engine]") {
  const test::TempDir folder;
  const Request job = test::small_request(folder, at::kCPU);
  SilentProgress progress;
  const test::CollectWarnings warnings;
  const test::FullDisk full(2000);
  CHECK(test::error_of([&] { test::run(job, progress); }).kind() == ErrorKind::output);
  CHECK(warnings.has("the video is incomplete, and its codes are lost"));
  CHECK(test::names_in(folder.path()).empty());
}

TEST_CASE("a folder that is gone when the file is written is an output error", "[engine]") {
  const test::TempDir folder;
  const test::TempDir temporary;
  const test::WithEnvironment variable("TMPDIR", temporary.path().string());
  Request job = test::small_request(folder, at::kCPU);
  job.outputs.front().file = folder / "missing" / "v.mp4";
  SilentProgress progress;
  const test::CollectWarnings warnings;
  const Error error = test::error_of([&] { test::run(job, progress); });
  CHECK(error.kind() == ErrorKind::output);
  CHECK(std::string(error.what()).find("v.mp4:") != std::string::npos);  // not of the codes that could not be kept
  CHECK(test::names_in(temporary.path()) == std::vector<std::string>{"v.codes.safetensors"});
}

TEST_CASE("a decode that does not finish leaves the codes and the line that decodes them", "[engine]") {
  const test::TempDir folder;
  test::write_text(folder / "v.codes.safetensors", "of somebody else");
  {
    const test::CollectWarnings warnings;
    test::StopAfter progress(1, Stage::decode);
    const Request job = test::small_request(folder, at::kCPU, {{"crf", "20"}});
    CHECK(test::error_of([&] { test::run(job, progress); }).kind() == ErrorKind::interrupted);
    CHECK(warnings.has(fmt::format("`faststar decode '{0}/v-2.codes.safetensors' -o '{0}/v.mp4' --crf 20` finishes it",
                                   folder.path().string())));
  }
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"v-2.codes.safetensors", "v.codes.safetensors"});
  CHECK(read_codes(folder / "v-2.codes.safetensors").clips.size() == 2);
  CHECK(log::parting_words().empty());
}

TEST_CASE("codes kept beside a video leave room for it, also when it is lossless noise", "[engine]") {
  const test::TempDir folder;
  const Request noise = test::small_request(folder, at::kCPU, test::exact_output(folder / "v.mkv"));
  test::make(noise);
  CHECK(static_cast<double>(std::filesystem::file_size(folder / "v.mkv")) < ample_bytes(noise));
}

TEST_CASE("the line that decodes kept codes names what decode would choose otherwise", "[engine]") {
  const test::TempDir folder;
  const test::CollectWarnings emulated_bf16;
  Request job = test::small_request(folder, at::kCPU, {{"precision", "bf16"}, {"crf", "20"}});
  job.setup.model.preset.settings.config.output.encoding.crf = 20;
  const auto file = folder / "mini.yaml";
  const auto options_of = [&](const Request& request) { return decode_options(request, request.outputs.front()); };
  const std::string options = fmt::format(" -o '{}/v.mp4' --precision bf16", folder.path().string());
  CHECK(options_of(job) == options);
  job.setup.model.preset.file = file;
  CHECK(options_of(job) == fmt::format("{} --config '{}'", options, file.string()));
  job.setup.model.preset.file = preset_file("720p");  // the codes say so
  job.setup.model.embedded = false;
  job.setup.model.folder = "";
  CHECK(options_of(job) == options);
}

TEST_CASE("a video of the longest name is made, and its codes are kept too", "[engine]") {
  const test::TempDir folder;
  const std::string stem(251, 'v');
  const Request job = test::small_request(folder, at::kCPU, {{"output", (folder / (stem + ".mp4")).string()}});
  const test::CollectWarnings warnings;
  test::StopAfter stopping(1, Stage::decode);
  CHECK(test::error_of([&] { test::run(job, stopping); }).kind() == ErrorKind::interrupted);
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{stem.substr(0, 200) + ".codes.safetensors"});
  test::make(job);
  CHECK(std::filesystem::exists(folder / (stem + ".mp4")));
}

/// The kind of what `action` throws, as a user is told.
template <typename Action>
ErrorKind told_kind_of(Action&& action) {
  try {
    action();
  } catch (...) {
    return current_error().kind();
  }
  FAIL("expected an exception");
  throw std::logic_error("unreachable");
}

TEST_CASE("a decode without enough memory makes the video without the transformer, and the next one with it",
          "[engine]") {
  const test::TempDir disturbed, undisturbed;
  const auto request = [](const test::TempDir& folder) {
    FieldTexts flags = test::exact_output(folder / "v.mkv");
    flags["count"] = "2";
    return test::small_request(folder, at::kCPU, std::move(flags));
  };
  test::NoMemoryIn progress(Stage::decode, "frame", 1);
  test::run(request(disturbed), progress);
  CHECK(progress.has_thrown_all());
  test::make(request(undisturbed));
  const auto names = test::names_in(undisturbed.path());
  CHECK(test::names_in(disturbed.path()) == names);
  REQUIRE(names.size() == 2);
  CHECK(test::read_text(disturbed / names[1]) == test::read_text(undisturbed / names[1]));
}

TEST_CASE("codes are kept when no way of decoding them has enough memory", "[engine]") {
  const test::TempDir folder;
  test::NoMemoryIn progress(Stage::decode, "frame", 2);
  const test::CollectWarnings warnings;
  CHECK(told_kind_of([&] { test::run(test::small_request(folder, at::kCPU), progress); }) == ErrorKind::device);
  CHECK(warnings.has("its codes were saved: `faststar decode "));
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"v.codes.safetensors"});
}

TEST_CASE("a preview without enough memory does not cost the video", "[engine]") {
  const test::TempDir folder;
  test::NoMemoryIn progress(Stage::preview, "frame", 2);
  const test::CollectWarnings warnings;
  test::run(test::small_request(folder, at::kCPU, {{"preview", (folder / "p.mp4").string()}}), progress);
  CHECK(warnings.has("out of memory; the run goes on without this file"));
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"v.mp4"});
}

TEST_CASE("clips that are finished when a later one fails are kept, and decode", "[engine]") {
  const test::TempDir folder;
  Request job = test::small_request(folder, at::kCPU, {{"duration", "4"}, {"frames_dir", (folder / "f").string()}});
  REQUIRE(job.schedule.clips() == 3);
  const std::string in_last_clip = fmt::format("scale {}/", 2 * job.schedule.scales_per_clip() + 3);
  {
    test::NoMemoryIn progress(Stage::tokens, in_last_clip, 1);
    const test::CollectWarnings warnings;
    CHECK(told_kind_of([&] { test::run(job, progress); }) == ErrorKind::device);
    CHECK(
        warnings.has(fmt::format("its first 33 frames were saved: `faststar decode '{0}/v.codes.safetensors' -o "
                                 "'{0}/v.mp4' --frames-dir '{0}/f'`",
                                 folder.path().string())));
  }
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"v.codes.safetensors"});
  const fs::path codes = folder / "v.codes.safetensors";
  FieldTexts flags = {{"random_weights", "true"}, {"device", "cpu"}, {"output", (folder / "part.mp4").string()}};
  Request decode = make_decode_request(read_codes(codes), codes.string(),
                                       resolve_settings({.flags = std::move(flags), .config = "tiny"}));
  decode.setup = job.setup;
  test::make(decode);
  CHECK(VideoReader(folder / "part.mp4").info().frames == 33);
}

TEST_CASE("a failure in the first clips keeps nothing", "[engine]") {
  const test::TempDir folder;
  test::NoMemoryIn progress(Stage::tokens, "scale 15/", 1);
  CHECK(told_kind_of([&] { test::run(test::small_request(folder, at::kCPU), progress); }) == ErrorKind::device);
  CHECK(test::names_in(folder.path()).empty());
}

TEST_CASE("a trace for which the disk is too small costs the trace and not the video", "[engine]") {
  const test::TempDir folder;
  const Request job = test::small_request(folder, at::kCPU,
                                          {{"reduce", "faststar"},
                                           {"trace", (folder / "trace.safetensors").string()},
                                           {"save_codes", (folder / "codes.safetensors").string()}});
  SilentProgress progress;
  const test::CollectWarnings warnings;
  Model model(job.setup);
  const Pipeline pipeline(model);
  const Plan plan = make_plan(pipeline, job);
  RunResult result;
  {
    const test::FullDisk full(1'000'000);
    result = run_plan(pipeline, plan, progress);
  }
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"codes.safetensors", "v.mp4"});
  CHECK_THAT(result.side_error, ContainsSubstring("trace.safetensors: cannot write"));
  CHECK(warnings.has("the run goes on without this file"));
}

}  // namespace
}  // namespace faststar
