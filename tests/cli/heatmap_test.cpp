// faststar heatmap from outside.
#include <ATen/ATen.h>

#include "core/base/weights/safetensors.h"
#include "core/lab/heatmap/sample_trace.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "support/program.h"

namespace faststar {
namespace {

using test::Outcome;
using test::run;

TEST_CASE("heatmap draws a video frame by frame, or a picture of some frames", "[cli]") {
  const test::TempDir folder;
  test::write_sample_trace(folder / "t.safetensors");
  test::write_video(folder / "v.mp4", test::numbered_frames(9));
  const Outcome video = run(folder, "heatmap t.safetensors v.mp4 -o out.mp4");
  CHECK(video.exit_code == 0);
  CHECK(video.out == "out.mp4\n");
  const VideoInfo drawn = VideoReader(folder / "out.mp4").info();
  CHECK(drawn.frames == 9);
  CHECK(run(folder, "heatmap t.safetensors v.mp4 -o out.png --rows 3").exit_code == 0);
  CHECK(read_image(folder / "out.png").size(1) == drawn.width);
  CHECK(read_image(folder / "out.png").size(0) > drawn.height * 2);
}

TEST_CASE("heatmap says when the video is of another run", "[cli]") {
  const test::TempDir folder;
  write_safetensors(folder / "t.safetensors", {{"step.008.token_mask", at::ones({2, 2, 4}, at::kByte)}},
                    {{"faststar", R"({"seed": 3, "settings": {"sampling": {"seed": 3}}, "steps": [
    {"index": 0, "clip": 0, "scale": 0, "repetition": 0, "grid": [1, 1, 2]},
    {"index": 8, "clip": 1, "scale": 3, "repetition": 0, "grid": [2, 2, 4]}]})"}},
                    Existing::refuse);
  const int seed = GENERATE(3, 4);
  const std::string settings = fmt::format(R"({{"sampling": {{"seed": {}}}}})", seed);
  test::write_video(folder / "v.mp4", test::numbered_frames(9), {}, to_comment({"1", "t2v", settings, ""}));
  const Outcome drawn = run(folder, "heatmap t.safetensors v.mp4 -o out.png");
  CHECK(drawn.exit_code == 0);
  CHECK((drawn.error.find("is not of the run of v.mp4: they differ in seed") != std::string::npos) == (seed == 4));
}

TEST_CASE("heatmap refuses what does not belong together", "[cli]") {
  const test::TempDir folder;
  test::write_sample_trace(folder / "t.safetensors");
  test::write_video(folder / "v.mp4", test::numbered_frames(5));
  const Outcome other = run(folder, "heatmap t.safetensors v.mp4 -o out.png");
  CHECK(other.exit_code == 3);
  CHECK(other.error ==
        "error: t.safetensors: its run has 9 frames, the video has 5\n"
        "hint: the video must come from the same run\n");
  CHECK(run(folder, "heatmap v.mp4 v.mp4 -o out.png").exit_code == 3);
  CHECK(run(folder, "heatmap t.safetensors v.mp4 -o absent/out.png").exit_code == 6);
  CHECK(run(folder, "heatmap t.safetensors v.mp4 -o out.png --rows 0").exit_code == 2);
  const Outcome over_input = run(folder, "heatmap t.safetensors v.mp4 -o v.mp4 --overwrite");
  CHECK(over_input.exit_code == 2);
  CHECK(over_input.error.starts_with("error: v.mp4: is an input of this run and cannot be its output\n"));
  CHECK_FALSE(std::filesystem::exists(folder / "out.png"));
}

}  // namespace
}  // namespace faststar
