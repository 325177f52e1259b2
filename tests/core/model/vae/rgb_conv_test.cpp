#include "core/model/vae/rgb_conv.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

struct RgbCase {
  int64_t channels, frames, height, width, batch;
};

RgbCase rgb_case() {
  return GENERATE(RgbCase{96, 8, 16, 64, 1}, RgbCase{96, 1, 9, 37, 1}, RgbCase{32, 3, 8, 32, 2},
                  RgbCase{64, 4, 1, 1, 1}, RgbCase{96, 2, 23, 100, 1}, RgbCase{160, 2, 3, 33, 1},
                  RgbCase{8, 2, 5, 6, 1});
}

TEST_CASE("rgb_conv agrees with the reference", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const RgbCase c = rgb_case();
  CAPTURE(device, dtype, c.channels, c.frames, c.height, c.width);
  const Tensor extended = test::seeded_randn({c.batch, c.frames + 2, c.height, c.width, c.channels}, 1, device, dtype);
  const Tensor weight = test::seeded_randn({3, c.channels, 3, 3, 3}, 2, device, dtype);
  const Tensor bias = test::seeded_randn({3}, 3, device, dtype) * 10;
  const Tensor result = rgb_conv(extended, weight, bias);
  REQUIRE(result.sizes() == at::IntArrayRef{c.batch, c.frames, c.height, c.width, 3});
  CHECK(test::relative_error(result, reference::rgb_conv(extended, weight, bias)) < test::tolerance_of(dtype) / 4);
}

TEST_CASE("every tap of rgb_conv reads its own frame and pixel", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t tap = GENERATE(range(0, 27));
  const int64_t t = tap / 9, y = tap / 3 % 3, x = tap % 3, channel = 37;
  const Tensor weight = at::zeros({3, 64, 3, 3, 3}, at::TensorOptions(device).dtype(dtype));
  for (int64_t colour = 0; colour < 3; ++colour) weight[colour][channel][t][y][x].fill_(colour + 1);
  const Tensor extended = at::zeros({1, 5, 10, 40, 64}, weight.options());
  extended[0][2][5][20][channel].fill_(7);
  const Tensor result = rgb_conv(extended, weight, at::zeros({3}, weight.options())).to(at::kFloat).cpu();
  CHECK(result.abs().sum().item<double>() == 7 * 6);  // one pixel of one frame, three colours
  for (int64_t colour = 0; colour < 3; ++colour) {
    CHECK(result[0][2 - t][5 + 1 - y][20 + 1 - x][colour].item<double>() == 7.0 * static_cast<double>(colour + 1));
  }
}

TEST_CASE("rgb_conv refuses shapes that disagree", "[vae]") {
  const Tensor extended = at::zeros({1, 4, 3, 3, 32});
  CHECK_THROWS_AS(rgb_conv(extended, at::zeros({3, 16, 3, 3, 3}), at::zeros({3})), c10::Error);
  CHECK_THROWS_AS(rgb_conv(extended, at::zeros({3, 32, 3, 3, 3}), at::zeros({4})), c10::Error);
  CHECK_THROWS_AS(rgb_conv(extended.narrow(1, 0, 2), at::zeros({3, 32, 3, 3, 3}), at::zeros({3})), c10::Error);
}

}  // namespace
}  // namespace faststar
