#include <ATen/ATen.h>

#include "core/model/vae/golden_vae.h"
#include "core/model/vae/video_vae.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr const char* kImages = "images.safetensors";

/// The fixtures' form: BGR, frame 0 := frame 1, with a batch dimension.
Tensor official_form(const Tensor& decoded) {
  FrameStream stream(FirstFrame::copy);
  return stream.push(decoded)->flip({-1}).unsqueeze(0);
}

/// Frames 0, 1, 2 and 8, every second pixel.
Tensor stored_part(const Tensor& frames) {
  return frames.index_select(1, at::tensor({0, 1, 2, 8}, frames.options().dtype(at::kLong)))
      .slice(2, 0, std::nullopt, 2)
      .slice(3, 0, std::nullopt, 2);
}

TEST_CASE("frames equal the official ones bit for bit", "[vae]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor decoded = test::golden_tensor("vae_io.safetensors", "decoded", device);
  CHECK(test::same(stored_part(official_form(decoded)), test::golden_tensor(kImages, "frames.f32")));
  CHECK(test::same(stored_part(official_form(decoded.to(at::kBFloat16))), test::golden_tensor(kImages, "frames.bf16")));
}

TEST_CASE("levels are truncated and clamped like the official ones", "[vae]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor edge = test::golden_tensor(kImages, "edge_in", device);
  CHECK(test::same(official_form(edge), test::golden_tensor(kImages, "edge_out")));
}

/// A decoded video whose frame f has level 10 f everywhere.
Tensor numbered_video(int64_t frames) {
  const Tensor level = at::arange(frames, at::kFloat) * 10 + 0.5;
  return (level / 127.5 - 1).view({1, 1, frames, 1, 1}).expand({1, 3, frames, 2, 2}).contiguous();
}

/// Levels of the frames that come out when `video` goes in by slices.
std::vector<int> shown(FirstFrame rule, int64_t frames, const std::vector<int64_t>& slices) {
  FrameStream stream(rule);
  std::vector<int> levels;
  const auto take = [&](const std::optional<Tensor>& part) {
    if (!part) return;
    for (int64_t f = 0; f < part->size(0); ++f) levels.push_back((*part)[f][0][0][0].item<int>());
  };
  int64_t start = 0;
  for (const int64_t length : slices) {
    take(stream.push(numbered_video(frames).narrow(2, start, length)));
    start += length;
  }
  take(stream.finish());
  return levels;
}

TEST_CASE("the first frame becomes a copy of the second, however the video is sliced", "[vae]") {
  const std::vector<int> copied = {10, 10, 20, 30, 40};
  CHECK(shown(FirstFrame::copy, 5, {5}) == copied);
  CHECK(shown(FirstFrame::copy, 5, {1, 4}) == copied);
  CHECK(shown(FirstFrame::copy, 5, {1, 1, 3}) == copied);
  CHECK(shown(FirstFrame::copy, 5, {2, 3}) == copied);
}

TEST_CASE("the first frame is kept when asked, and when there is no second", "[vae]") {
  CHECK(shown(FirstFrame::keep, 3, {1, 2}) == std::vector<int>{0, 10, 20});
  CHECK(shown(FirstFrame::keep, 3, {3}) == std::vector<int>{0, 10, 20});
  CHECK(shown(FirstFrame::copy, 1, {1}) == std::vector<int>{0});
}

TEST_CASE("nothing is shown while frame 0 waits", "[vae]") {
  FrameStream stream(FirstFrame::copy);
  CHECK_FALSE(stream.push(numbered_video(1)).has_value());
  CHECK(stream.finish().has_value());
  CHECK_FALSE(stream.finish().has_value());
}

}  // namespace
}  // namespace faststar
