#include "core/media/frame_source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

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
