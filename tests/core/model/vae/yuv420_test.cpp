#include "core/model/vae/yuv420.h"

#include <ATen/ATen.h>

#include <vector>

#include "core/media/colour.h"
#include "core/model/vae/video_vae.h"
#include "support/support.h"

namespace faststar {
namespace {

/// Decoded pixels that reach beyond black and white: [1, 3, F, H, W] as a view of [F, H, W, 3].
Tensor decoded_pixels(at::IntArrayRef size, at::Device device, at::ScalarType dtype) {
  const Tensor pixels = test::seeded_randn({1, size[0], size[1], size[2], 3}, 7, device, dtype) * 0.8;
  return pixels.permute({0, 4, 1, 2, 3});
}

/// One plane of a picture, without the padding of its lines.
std::vector<uint8_t> plane_of(const AVFrame& picture, int plane, int width, int height) {
  std::vector<uint8_t> bytes;
  for (int line = 0; line < height; ++line) {
    const uint8_t* from = picture.data[plane] + line * picture.linesize[plane];
    bytes.insert(bytes.end(), from, from + width);
  }
  return bytes;
}

/// What swscale makes of 8-bit RGB, [H, W, 3], in the form of to_yuv420.
Tensor planes_of_swscale(const Tensor& rgb) {
  const int height = static_cast<int>(rgb.size(0)), width = static_cast<int>(rgb.size(1));
  const auto picture = FromRgb(width, height, {})(rgb.contiguous().const_data_ptr<uint8_t>());
  std::vector<uint8_t> bytes = plane_of(*picture, 0, width, height);
  for (const int chroma : {1, 2}) {
    const auto plane = plane_of(*picture, chroma, width / 2, height / 2);
    bytes.insert(bytes.end(), plane.begin(), plane.end());
  }
  return at::tensor(bytes, at::kByte).view({height / 2 * 3, width});
}

TEST_CASE("planes are those that swscale makes of the same frames, bit for bit", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const auto size = GENERATE(std::vector<int64_t>{2, 48, 64}, std::vector<int64_t>{1, 192, 336});
  const Tensor decoded = decoded_pixels(size, device, dtype);
  const Tensor rgb = to_frames(decoded).cpu();
  const Tensor planes = to_yuv420(decoded).cpu();
  for (int64_t frame = 0; frame < size[0]; ++frame) CHECK(test::same(planes[frame], planes_of_swscale(rgb[frame])));
}

TEST_CASE("to_yuv420 agrees with the reference", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  using Size = std::vector<int64_t>;
  const auto size = GENERATE(Size{1, 2, 2}, Size{2, 18, 70}, Size{3, 16, 64}, Size{1, 34, 130}, Size{2, 6, 202});
  const Tensor decoded = decoded_pixels(size, device, dtype);
  CHECK(test::same(to_yuv420(decoded), reference::to_yuv420(decoded)));
}

TEST_CASE("black, white and grey have the levels of limited range", "[vae][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto level = [&](double value) {
    const Tensor planes = to_yuv420(at::full({1, 3, 1, 4, 4}, value, device)).cpu().flatten();
    CHECK(planes.narrow(0, 16, 8).eq(128).all().item<bool>());  // no colour
    CHECK(planes.narrow(0, 0, 16).eq(planes[0]).all().item<bool>());
    return planes[0].item<int>();
  };
  CHECK(level(-1) == 16);
  CHECK(level(1) == 235);
  CHECK(level(-7) == 16);
  CHECK(level(0) == 125);  // level 127 of 255
}

TEST_CASE("planes need an even height and width", "[vae]") {
  CHECK_THROWS_AS(to_yuv420(at::zeros({1, 3, 1, 3, 4})), c10::Error);
  CHECK_THROWS_AS(to_yuv420(at::zeros({1, 3, 1, 4, 3})), c10::Error);
}

TEST_CASE("the first-frame rule holds for planes too", "[vae]") {
  const Tensor decoded = decoded_pixels({3, 16, 16}, at::kCPU, at::kFloat);
  FrameStream stream(FirstFrame::copy, FrameFormat::yuv420);
  CHECK_FALSE(stream.push(decoded.narrow(2, 0, 1)).has_value());
  const Tensor shown = *stream.push(decoded.narrow(2, 1, 2));
  const Tensor planes = to_yuv420(decoded);
  CHECK(test::same(shown, at::stack({planes[1], planes[1], planes[2]})));
}

}  // namespace
}  // namespace faststar
