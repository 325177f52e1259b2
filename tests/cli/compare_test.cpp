// faststar compare from outside.
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "support/program.h"

namespace faststar {
namespace {

using test::Outcome;
using test::run;

constexpr VideoEncoding kLossless = {.lossless = true};

/// a.mkv and b.mkv: three frames of noise, of which the last two differ by 10 levels at one value in four.
void write_two_videos(const test::TempDir& folder) {
  Tensor frames = test::noise_frames(3, 24, 32).clamp(0, 200);
  test::write_video(folder / "a.mkv", frames, kLossless);
  frames.slice(0, 1).slice(1, 0, 24, 2).slice(2, 0, 32, 2).add_(10);
  test::write_video(folder / "b.mkv", frames, kLossless);
}

/// What faststar stores with a video; one that is reduced differs from a dense one as preset `realtime` does.
std::string comment_of_run(const std::string& prompt, int seed, const std::string& reduction, double seconds) {
  const bool dense = reduction == "none";
  const nlohmann::json settings = {{"prompt", {{"model_prompt", prompt}, {"prompt", prompt}}},
                                   {"sampling", {{"seed", seed}}},
                                   {"reduction", {{"method", reduction}}},
                                   {"guidance", {{"guidance_reuse", dense ? "none" : "full"}}},
                                   {"schedule", {{"video_repetitions", {3, dense ? 2 : 1}}}},
                                   {"output", {{"crf", seed}}}};
  const nlohmann::json run = {{"seconds", {{"tokens", seconds}}}};
  return to_comment({"1", "t2v", settings.dump(), run.dump()});
}

TEST_CASE("compare says when two videos are not versions of one, and not how fast then", "[cli]") {
  const test::TempDir folder;
  const Tensor frames = test::noise_frames(3, 24, 32);
  const auto write = [&](const char* name, const std::string& comment) {
    test::write_video(folder / name, frames, kLossless, comment);
  };
  write("dense.mkv", comment_of_run("a red ball", 1, "none", 10));
  write("reduced.mkv", comment_of_run("a red ball", 1, "faststar", 5));
  write("other.mkv", comment_of_run("a blue box", 2, "none", 6));
  const Outcome versions = run(folder, "compare dense.mkv reduced.mkv --device cpu");
  CHECK(versions.out.find("2.00x as fast") != std::string::npos);
  CHECK(versions.error.find("warning") == std::string::npos);
  const Outcome unrelated = run(folder, "compare dense.mkv other.mkv --device cpu");
  CHECK(unrelated.exit_code == 0);
  CHECK(unrelated.out.find("as fast") == std::string::npos);
  CHECK(unrelated.error.find("are not versions of one video: they differ in prompt, seed") != std::string::npos);
}

TEST_CASE("compare measures every frame and leaves out those that are skipped", "[cli]") {
  const test::TempDir folder;
  write_two_videos(folder);
  const Outcome all = run(folder, "compare a.mkv b.mkv --json --device cpu");
  REQUIRE(all.exit_code == 0);
  const auto json = nlohmann::json::parse(all.out);
  CHECK(json.at("frames") == 3);
  CHECK(json.at("identical_frames") == 1);
  CHECK(json.at("psnr_mean").get<double>() == Approx(10 * std::log10(65025 / 25.)));
  CHECK(json.at("psnr_pooled").get<double>() == Approx(10 * std::log10(65025 * 3 / 50.)));
  CHECK(json.at("lpips_mean").is_null());
  CHECK(all.error.find("--skip 1") != std::string::npos);

  const Outcome skipped = run(folder, "compare a.mkv b.mkv --skip 1 --device cpu --csv f.csv");
  CHECK(skipped.exit_code == 0);
  CHECK(skipped.error.empty());
  CHECK(skipped.out.starts_with("2 frames from frame 1, 32x24\nPSNR pooled  34.15 dB"));
  CHECK(skipped.out.find("LPIPS mean   n/a") != std::string::npos);
  CHECK(test::read_text(folder / "f.csv").starts_with("frame,psnr,ssim,lpips\n1,34.151404,0."));
}

TEST_CASE("compare writes both videos side by side, and never over a file", "[cli]") {
  const test::TempDir folder;
  write_two_videos(folder);
  const std::string line = "compare a.mkv b.mkv --side-by-side both.mp4 --device cpu";
  REQUIRE(run(folder, line).exit_code == 0);
  CHECK(VideoReader(folder / "both.mp4").info().frames == 3);
  CHECK(VideoReader(folder / "both.mp4").info().width == 72);
  CHECK(run(folder, line).exit_code == 6);
  CHECK(run(folder, line + " --overwrite").exit_code == 0);
}

TEST_CASE("compare shows how long two videos of ours took", "[cli]") {
  const test::TempDir folder;
  const auto write = [&](const std::string& name, const std::string& run) {
    test::write_video(folder / name, test::noise_frames(2, 24, 32), kLossless, to_comment({"1", "t2v", "{}", run}));
  };
  write("a.mkv", R"({"seconds": {"tokens": 33.2}})");
  write("b.mkv", R"({"seconds": {"tokens": 16.6}})");
  write("c.mkv", "");
  CHECK_THAT(run(folder, "compare a.mkv b.mkv --device cpu").out,
             ContainsSubstring("transformer  33.2 s       16.6 s, 2.00x as fast"));
  CHECK(run(folder, "compare a.mkv c.mkv --device cpu").out.find("transformer") == std::string::npos);
}

TEST_CASE("compare takes pictures", "[cli]") {
  const test::TempDir folder;
  write_image(folder / "a.png", test::plain(10, 20, 30), "", Existing::refuse);
  write_image(folder / "b.png", test::plain(11, 21, 31), "", Existing::refuse);
  const Outcome outcome = run(folder, "compare a.png b.png --side-by-side c.png --json --device cpu");
  CHECK(outcome.exit_code == 0);
  CHECK(nlohmann::json::parse(outcome.out).at("psnr_pooled").get<double>() == Approx(20 * std::log10(255)));
  CHECK(read_image(folder / "c.png").size(1) == 2 * 64 + 8);
  const Outcome same = run(folder, "compare a.png a.png --device cpu");
  CHECK(same.out.find("infinite     all frames are identical") != std::string::npos);
}

TEST_CASE("what cannot be compared gives one line", "[cli]") {
  const test::TempDir folder;
  write_two_videos(folder);
  test::write_video(folder / "short.mkv", test::numbered_frames(2, 24, 32), kLossless);
  test::write_video(folder / "small.mkv", test::numbered_frames(3, 24, 30), kLossless);
  const Outcome shorter = run(folder, "compare a.mkv short.mkv --device cpu");
  CHECK(shorter.exit_code == 3);
  CHECK(shorter.error == "error: short.mkv: expected 3 frames as in a.mkv, got 2\n");
  const Outcome smaller = run(folder, "compare a.mkv small.mkv --device cpu");
  CHECK(smaller.exit_code == 3);
  CHECK(smaller.error == "error: small.mkv: expected frames of 32x24 as in a.mkv, got 30x24\n");
  CHECK(run(folder, "compare a.mkv absent.mkv --device cpu").exit_code == 3);
  CHECK(run(folder, "compare a.mkv b.mkv --skip 3 --device cpu").exit_code == 2);
  CHECK(run(folder, "compare a.mkv b.mkv --lpips-linear x --device cpu").exit_code == 2);
  const Outcome absent = run(folder, "compare a.mkv b.mkv --lpips-linear x --lpips-backbone y --device cpu");
  CHECK(absent.exit_code == 4);
  CHECK(absent.error == "error: --lpips-backbone y: no such file\n");
}

}  // namespace
}  // namespace faststar
