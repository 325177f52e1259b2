#include "core/pipeline/request.h"

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "core/pipeline/untrained_use.h"
#include "support/process_state.h"
#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::InFolder;
using test::TempDir;

FieldTexts with_defaults(FieldTexts flags) {
  flags.try_emplace("random_weights", "true");
  flags.try_emplace("device", "cpu");
  if (!flags.contains("prompt_file")) flags.try_emplace("prompt", "a red ball");
  return flags;
}

Request plan(FieldTexts flags, const std::string& config = "", Task task = Task::text_to_video) {
  ResolvedSettings resolved = resolve_settings({.flags = with_defaults(std::move(flags)), .config = config});
  return make_request(task, resolved);
}

Error plan_error(FieldTexts flags, Task task = Task::text_to_video) {
  return error_of([&] { plan(std::move(flags), "", task); });
}

}  // namespace

TEST_CASE("a 720p job has the official size and text", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  const Request job = plan({{"seed", "41"}}, "720p");
  CHECK(job.model_prompt == "<<<t=5s>>>a red ball, Close-up on big objects, emphasize scale and detail");
  CHECK(job.size.width == 1280);
  CHECK(job.size.height == 720);
  CHECK(job.size.frames == 81);
  CHECK(job.size.latent_frames == 21);
  CHECK(job.setup.precision == Precision::fp32);
  CHECK(job.outputs.at(0).file == "./a-red-ball-41.mp4");
  CHECK(plan({{"aspect", "9:16"}}, "720p").size.height == 1280);
}

TEST_CASE("a picture has one frame, no tag, no suffix and a .png", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  const Request job = plan({{"seed", "1"}}, "480p", Task::text_to_image);
  CHECK(job.model_prompt == "a red ball");
  CHECK(job.size.frames == 1);
  CHECK(job.size.width == 848);
  CHECK(job.outputs.at(0).file == "./a-red-ball-1.png");
}

TEST_CASE("a seed is chosen, kept and recorded with each file", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  ResolvedSettings resolved = resolve_settings({.flags = with_defaults({{"count", "3"}}), .config = ""});
  const Request job = make_request(Task::text_to_video, resolved);
  const int64_t first = job.outputs.at(0).seed;
  CHECK(resolved.settings.config.sampling.seed == first);
  CHECK(job.outputs.at(2).seed == first + 2);
  const auto settings = nlohmann::json::parse(job.outputs.at(2).settings_json);
  CHECK(settings["sampling"]["seed"] == first + 2);
  CHECK(settings["generate"]["count"] == 1);
  CHECK(plan_error({{"seed", "4294967295"}, {"count", "2"}}).kind() == ErrorKind::usage);
}

TEST_CASE("taken names get a number, explicit ones need --overwrite", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  test::write_text("a-red-ball-5.mp4", "");
  test::write_text("a-red-ball-5-2.mp4", "");
  CHECK(plan({{"seed", "5"}}).outputs.at(0).file == "./a-red-ball-5-3.mp4");
  CHECK(plan_error({{"output", "a-red-ball-5.mp4"}}).kind() == ErrorKind::output);
  CHECK(plan({{"output", "a-red-ball-5.mp4"}, {"overwrite", "true"}}).existing == Existing::replace);
}

TEST_CASE("two runs at once do not take one name", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  const Request first = plan({{"seed", "5"}});
  const Request second = plan({{"seed", "5"}});
  CHECK(first.outputs.at(0).file == "./a-red-ball-5.mp4");
  CHECK(second.outputs.at(0).file == "./a-red-ball-5-2.mp4");
  CHECK(test::says(plan_error({{"output", "a-red-ball-5.mp4"}}), "another run is making this file"));
  CHECK(plan({{"output", "a-red-ball-5.mp4"}, {"overwrite", "true"}}).outputs.at(0).file == "a-red-ball-5.mp4");
}

TEST_CASE("files record names as they were given, and not the home folder", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  const test::WithEnvironment home("HOME", folder.path().string());
  test::write_video("clip.mp4", test::numbered_frames(40));
  const auto recorded_video = [](const std::string& given) {
    const Request job = plan({{"video", given}, {"only_new", "true"}}, "", Task::video_to_video);
    return recorded(nlohmann::json::parse(job.outputs.at(0).settings_json), "generate", "video");
  };
  CHECK(recorded_video("clip.mp4") == "clip.mp4");
  CHECK(recorded_video((folder / "clip.mp4").string()) == "~/clip.mp4");
  CHECK(shell_path("~/my clip.mp4") == "~/'my clip.mp4'");
  CHECK(shell_path("clip.mp4") == "'clip.mp4'");
}

TEST_CASE("a name that no JSON can hold is refused where it would be recorded", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  const std::string name = "clip\xff.mp4";
  test::write_video(name, test::numbered_frames(40));
  const FieldTexts flags = {{"video", name}, {"only_new", "true"}};
  const Error refused = plan_error(flags, Task::video_to_video);
  CHECK(refused.kind() == ErrorKind::usage);
  CHECK(refused.hint() == "rename it, or add --no-metadata");
  FieldTexts without = flags;
  without["no_metadata"] = "true";
  CHECK(plan(without, "", Task::video_to_video).source->file == name);
  CHECK(plan({{"output", "v\xff.mp4"}}).outputs.at(0).file == "v\xff.mp4");
  CHECK(plan_error({{"output", "v\xff.mp4"}, {"json", "true"}}).hint() == "rename it, or leave out --json");
}

TEST_CASE("lossless H.264 is warned about", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  const test::CollectWarnings warnings;
  plan({{"crf", "1"}});
  CHECK(warnings.lines().empty());
  plan({{"crf", "0"}});
  CHECK(warnings.has("browsers and QuickTime do not play"));
}

TEST_CASE("names of outputs are filled in", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  const Request job = plan({{"output", "{index}-{prompt}_{seed}.mkv"}, {"seed", "8"}, {"count", "2"}});
  CHECK(job.outputs.at(1).file == "1-a-red-ball_9.mkv");
  CHECK(plan({{"output", "{{{prompt}}}.mp4"}, {"seed", "8"}, {"count", "2"}}).outputs.at(1).file ==
        "{a-red-ball}-9.mp4");
  CHECK(plan({{"output", "{date}.mp4"}}).outputs.at(0).file.string().size() == std::string("2026-12-01.mp4").size());
  CHECK(test::says(plan_error({{"output", "{sed}.mp4"}}), "--output {sed}.mp4: unknown name {sed}"));
  CHECK(plan({{"output", "frames/"}, {"seed", "8"}, {"count", "2"}}).outputs.at(1).file == "frames-9/");
}

TEST_CASE("settings that a format does not have are refused", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  if (test::can_make("v.gif")) {
    CHECK(test::says(plan_error({{"output", "v.gif"}, {"crf", "20"}}), "--crf: has no effect on .gif files"));
  }
  if (test::can_make("v.webm")) {
    CHECK(test::says(plan_error({{"output", "v.webm"}, {"preset", "fast"}}), "--preset: has no effect on .webm files"));
  }
  CHECK(plan_error({{"output", "v.avi"}}).kind() == ErrorKind::usage);
}

TEST_CASE("several videos under one name are told apart by seed", "[cli]") {
  const TempDir folder;
  const Request job = plan({{"output", (folder / "ball.mp4").string()},
                            {"save_codes", (folder / "codes.safetensors").string()},
                            {"seed", "8"},
                            {"count", "2"}});
  CHECK(job.outputs.at(1).file == folder / "ball-9.mp4");
  CHECK(job.outputs.at(1).codes == folder / "codes-9.safetensors");
}

TEST_CASE("output names that cannot work are refused before anything runs", "[cli]") {
  const TempDir folder;
  CHECK(plan_error({{"output", (folder / "absent/ball.mp4").string()}}).kind() == ErrorKind::output);
  CHECK(plan_error({{"output", folder.path().string() + ".mp4/x.mp4"}}).kind() == ErrorKind::output);
  CHECK(plan_error({{"output", (folder / "ball.avi").string()}}).kind() == ErrorKind::usage);
  for (const std::string flag : {"output", "save_codes", "trace", "preview", "frames_dir"}) {
    const Error error = plan_error({{flag, ""}, {"reduce", "faststar"}});
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(std::string(error.what()).find("expected a file name, got nothing") != std::string::npos);
  }
  CHECK(plan_error({{"output", (folder / "ball.mp4").string()}, {"lossless", "true"}}).kind() == ErrorKind::usage);
  test::write_text(folder / "frames", "");
  CHECK(plan_error({{"output", (folder / "ball.mp4").string()}, {"frames_dir", (folder / "frames").string()}}).kind() ==
        ErrorKind::output);
}

TEST_CASE("flags that contradict each other are usage errors", "[cli]") {
  const Error crf = plan_error({{"lossless", "true"}, {"crf", "20"}});
  CHECK(std::string(crf.what()).find("--crf and --lossless cannot be combined") == 0);
  CHECK(std::string(plan_error({{"attention", "cudnn"}}).what()).find("--attention cudnn: needs a GPU") == 0);
  CHECK(plan_error({{"prompt", "a"}, {"prompt_file", "p.txt"}}).kind() == ErrorKind::usage);
}

TEST_CASE("8-bit linear layers that cannot run are refused before weights load", "[cli]") {
  const Error error = plan_error({{"precision", "fp8"}, {"device", "cpu"}});
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()) ==
        "--precision fp8: needs a GPU of compute capability 8.9 or newer, but the device is the CPU");
}

TEST_CASE("attention that cannot run is refused before weights load", "[cli]") {
  const Error library = plan_error({{"attention", "fa3"}, {"device", "cpu"}});
  CHECK(library.kind() == ErrorKind::device);
  CHECK(std::string(library.what()) == "--attention fa3: needs a GPU, but the device is the CPU");
  const Error precision = plan_error({{"attention_precision", "fp8"}, {"device", "cpu"}});
  CHECK(precision.kind() == ErrorKind::device);
  CHECK(std::string(precision.what()) == "--attention-precision fp8: needs a GPU, but the device is the CPU");
  const Error both = plan_error({{"attention", "aten"}, {"attention_precision", "fp8"}, {"device", "cpu"}});
  CHECK(both.kind() == ErrorKind::usage);
  CHECK(test::says(both, "needs FlashAttention-3"));
}

TEST_CASE("reduction that cannot work is refused before weights load", "[cli]") {
  CHECK(plan_error({{"reduce", "faststar"}, {"ratios", "20"}}).hint() == "did you mean 0.2?");
  CHECK(plan_error({{"reduce", "faststar"}, {"ratios", "0.1,0.2"}}).kind() == ErrorKind::usage);
  CHECK(plan_error({{"reduce", "tome"}, {"ratios", "0.95"}}).kind() == ErrorKind::usage);
  CHECK(plan_error({{"ratios", "0.2"}}).hint() == "add --reduce faststar");
  CHECK(plan_error({{"trace", "t.safetensors"}}).hint() == "add --reduce faststar");
  const TempDir folder;
  const InFolder here(folder.path());
  const Request job = plan({{"reduce", "faststar"}, {"seed", "1"}}, "720p");
  CHECK(job.generation.reduction.method == ReductionMethod::faststar);
  const auto lines = describe(job);
  CHECK(std::find(lines.begin(), lines.end(), "reduction: faststar, 5 of 85 passes, 170277 of 244197 tokens") !=
        lines.end());
  const auto settings = nlohmann::json::parse(job.outputs.at(0).settings_json);
  CHECK(settings["reduction"]["method"] == "faststar");
  CHECK(settings["reduction"]["faststar"]["p"] == "2");
}

TEST_CASE("repetition lists of another size are refused", "[cli]") {
  const TempDir folder;
  test::write_text(folder / "mine.yaml", "base: tiny\nschedule:\n  image_repetitions: [3, 3]\n");
  const Error error = error_of([&] { plan({}, (folder / "mine.yaml").string()); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()) == "image_repetitions: expected 11 entries (one per scale), got 2");
}

TEST_CASE("a prompt file is one prompt, and its faults are input errors", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  test::write_text("p.txt", "\xef\xbb\xbf a red ball\n");
  ResolvedSettings resolved = resolve_settings({.flags = with_defaults({{"prompt_file", "p.txt"}}), .config = ""});
  CHECK(make_request(Task::text_to_video, resolved).prompt == "a red ball");
  CHECK(resolved.settings.config.prompt.prompt == "a red ball");  // what --save-config keeps
  CHECK(plan_error({{"prompt_file", "absent.txt"}}).kind() == ErrorKind::input);
  CHECK(plan_error({{"prompt_file", "."}}).kind() == ErrorKind::input);
  test::write_text("latin1.txt",
                   "fa\xe7"
                   "ade");
  CHECK(plan_error({{"prompt_file", "latin1.txt"}}).kind() == ErrorKind::input);
  test::write_text("empty.txt", " \n");
  CHECK(plan_error({{"prompt_file", "empty.txt"}}).kind() == ErrorKind::input);
  CHECK(plan_error({{"prompt", " \n"}}).kind() == ErrorKind::usage);
}

TEST_CASE("prompts of any length and bad text in any flag are handled", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  std::string words;
  for (int i = 0; i < 10000; ++i) words += "word ";
  CHECK(plan({{"prompt", words}}).outputs.at(0).file.string().size() < 60);
  CHECK(plan_error({{"prompt", "  "}}).kind() == ErrorKind::usage);
  CHECK(plan_error({{"negative", "\xff"}}).kind() == ErrorKind::usage);
  CHECK(plan_error({{"prompt_suffix", "\xff"}}).kind() == ErrorKind::usage);
  CHECK_FALSE(plan({{"negative", ""}}).negative);
}

TEST_CASE("--device cuda without a GPU is a device error", "[cli]") {
  if (test::test_devices().size() > 1) return;
  CHECK(plan_error({{"device", "cuda"}}).kind() == ErrorKind::device);
  CHECK(plan_error({{"device", "tpu"}}).kind() == ErrorKind::usage);
}

TEST_CASE("a video is continued by one clip, unless a length is named", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  test::write_video("clip.mp4", test::numbered_frames(2));
  const Request job = plan({{"video", "clip.mp4"}, {"only_new", "true"}}, "480p", Task::video_to_video);
  CHECK(job.size.frames == 161);
  CHECK(job.source->latents == 21);
  CHECK(job.source->file == "clip.mp4");
  CHECK(job.model_prompt.starts_with("<<<t=10s>>>"));
  const Error nothing_new = error_of([&] {
    plan({{"video", "clip.mp4"}, {"only_new", "true"}, {"duration", "5"}}, "480p", Task::video_to_video);
  });
  CHECK(nothing_new.kind() == ErrorKind::usage);
  CHECK(nothing_new.hint() == "--duration 10");
}

TEST_CASE("what a command cannot do without is named", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  CHECK(plan_error({}, Task::image_to_video).hint() == "--image FILE");
  CHECK(plan_error({}, Task::video_to_video).hint() == "--video FILE");
  CHECK(plan_error({{"vram", "8"}}).kind() == ErrorKind::usage);
  CHECK(plan_error({{"output", "v.mp4"}, {"preview", "v.mp4"}}).kind() == ErrorKind::usage);
}

namespace {

/// What `warn` says of a job of `task`.
std::vector<std::string> untrained_warnings(Task task, FieldTexts flags, const std::string& config,
                                            const std::function<void(const Request&)>& warn) {
  ResolvedSettings resolved = resolve_settings({.flags = with_defaults(std::move(flags)), .config = config});
  const test::CollectWarnings of_planning;
  const Request job = make_shared_request(task, resolved);
  const test::CollectWarnings warnings;
  warn(job);
  return warnings.lines();
}

}  // namespace

TEST_CASE("interact says when the model is not made for it", "[cli]") {
  const auto said = [](const std::string& config) {
    return untrained_warnings(Task::interactive, {}, config, warn_about_untrained_use);
  };
  CHECK(said("480p-interact").empty());
  for (const char* other : {"480p", ""}) {
    REQUIRE(said(other).size() == 1);
    CHECK_THAT(said(other).front(),
               ContainsSubstring("was not trained for interact: the output will not be meaningful"));
  }
}

TEST_CASE("the embedded model says when it continues what it did not make", "[cli]") {
  const TempDir folder;
  const InFolder here(folder.path());
  test::write_video("other.mp4", test::numbered_frames(40));
  const Request job = plan({});
  const Config config = resolve_settings({.flags = with_defaults({}), .config = ""}).settings.config;
  const std::string comment = to_comment({"1", "t2v", output_settings(job, config, 1), ""});
  test::write_video("own.mp4", test::numbered_frames(40), {}, comment);
  const auto said = [](const std::string& video, const std::string& preset) {
    return untrained_warnings(Task::video_to_video, {{"video", video}}, preset, warn_about_untrained_source);
  };
  CHECK(said("own.mp4", "").empty());
  CHECK(said("other.mp4", "480p").empty());
  REQUIRE(said("other.mp4", "").size() == 1);
  CHECK_THAT(said("other.mp4", "").front(), ContainsSubstring("the output will not be meaningful"));
}

}  // namespace faststar
