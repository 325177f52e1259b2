#include "core/media/frame_source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/media/image.h"
#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("a video gives its frames in order", "[media]") {
  const test::TempDir folder;
  test::write_video(folder / "v.mkv", test::numbered_frames(3), {.lossless = true});
  FrameSource source(folder / "v.mkv");
  CHECK(source.frames() == 3);
  CHECK(source.size().width == 64);
  CHECK(source.fps() == 16);
  for (int64_t i = 0; i < 3; ++i) CHECK(test::number_of(*source.next()) == i);
  CHECK_FALSE(source.next());
}

TEST_CASE("a picture is one frame, whatever its name", "[media]") {
  const test::TempDir folder;
  const Tensor pixels = test::noise_frames(1, 10, 14)[0];
  write_image(folder / "p.png", pixels, "", Existing::refuse);
  std::filesystem::rename(folder / "p.png", folder / "p.mp4");
  FrameSource source(folder / "p.mp4");
  CHECK(source.frames() == 1);
  CHECK(source.size().height == 10);
  CHECK_FALSE(source.fps());
  CHECK(test::same(*source.next(), pixels));
  CHECK_FALSE(source.next());
}

TEST_CASE("the frames are those that the official scripts take", "[media]") {
  const auto cases =
      nlohmann::json::parse(test::read_text(test::golden_dir() / "tasks.json")).at("images").at("frame_indices");
  REQUIRE(cases.size() == 16);
  for (size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(cases[i].dump());
    const double fps = cases[i].at("fps");
    const int64_t frames = cases[i].at("frames");
    const FrameSpan span = cases[i].at("part") == "first" ? FrameSpan{} : last_seconds(fps, frames, 5, 81);
    const Tensor indices = at::tensor(frame_indices(fps, frames, span), at::kInt);
    CHECK(test::same(indices, test::golden_image(fmt::format("frame_indices.{}", i))));
  }
}

TEST_CASE("81 frames at 16 fps give 80 of them, one twice", "[media]") {
  const auto indices = frame_indices(16, 81, {0, 5, 81});
  CHECK(indices.size() == 81);
  CHECK(indices.front() == 0);
  CHECK(indices.back() == 79);
}

TEST_CASE("a start in seconds moves the span", "[media]") {
  CHECK(frame_indices(10, 100, {2, 2.5, 5}) == std::vector<int64_t>{20, 21, 22, 23, 24});
  CHECK(frame_indices(10, 100, {2, 2.5, 1}) == std::vector<int64_t>{24});
}

TEST_CASE("a video without the span is an input error", "[media]") {
  CHECK(test::error_of([] { frame_indices(16, 40, {5, 10, 81}); }).kind() == ErrorKind::input);
  const Error error = test::error_of([] { frame_indices(16, 40, last_seconds(16, 40, 5, 81)); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()) == "the video has 40 frames (2.50 s): expected one that covers -2.50 to 2.50 s");
}

}  // namespace
}  // namespace faststar
