#include "core/model/vae/depth_to_space.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

struct ShuffleCase {
  int64_t channels, shortcut, time, frames, height, width, batch;
};

ShuffleCase shuffle_case() {
  return GENERATE(ShuffleCase{96, 2, 2, 4, 3, 5, 1}, ShuffleCase{192, 2, 2, 1, 2, 3, 1},
                  ShuffleCase{384, 1, 1, 2, 2, 7, 1}, ShuffleCase{8, 4, 2, 3, 5, 2, 2},
                  ShuffleCase{16, 1, 2, 2, 1, 40, 1}, ShuffleCase{8, 2, 1, 3, 3, 3, 3},
                  ShuffleCase{6, 2, 2, 3, 2, 2, 1}, ShuffleCase{24, 4, 1, 1, 1, 1, 1});
}

TEST_CASE("depth_to_space agrees with the reference", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const ShuffleCase c = shuffle_case();
  const bool at_start = GENERATE(true, false);
  const bool biased = GENERATE(true, false);
  CAPTURE(device, dtype, c.channels, c.shortcut, c.time, at_start, biased);
  const auto numbers = [&, device = device, dtype = dtype](int64_t channels, uint64_t seed) {
    return test::seeded_randn({c.batch, c.frames, c.height, c.width, channels}, seed, device, dtype);
  };
  const int64_t width = c.time * 4 * c.channels;
  const Tensor u = numbers(width, 1), x = numbers(c.shortcut * c.channels, 2);
  const Tensor bias = biased ? test::seeded_randn({width}, 3, device, dtype) : Tensor();
  const Tensor result = depth_to_space(u, bias, x, c.time, at_start);
  const int64_t frames = at_start ? 1 + (c.frames - 1) * c.time : c.frames * c.time;
  REQUIRE(result.sizes() == at::IntArrayRef{c.batch, frames, 2 * c.height, 2 * c.width, c.channels});
  CHECK(test::relative_error(result, reference::depth_to_space(u, bias, x, c.time, at_start)) <
        test::tolerance_of(dtype) / 2);
}

TEST_CASE("depth_to_space takes tensors that are not aligned", "[vae][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor u = test::seeded_randn({1, 2, 3, 3, 33}, 1, device).narrow(4, 1, 32);
  const Tensor x = test::seeded_randn({1, 2, 3, 3, 17}, 2, device).narrow(4, 1, 16);
  CHECK(test::relative_error(depth_to_space(u, {}, x, 1, true),
                             reference::depth_to_space(u.contiguous(), {}, x.contiguous(), 1, true)) < 1e-6);
}

TEST_CASE("depth_to_space refuses shapes that disagree", "[vae]") {
  const Tensor u = at::zeros({1, 2, 3, 3, 32});
  CHECK_THROWS_AS(depth_to_space(u, {}, at::zeros({1, 2, 3, 3, 12}), 1, true), c10::Error);
  CHECK_THROWS_AS(depth_to_space(u, {}, at::zeros({1, 2, 3, 4, 8}), 1, true), c10::Error);
  CHECK_THROWS_AS(depth_to_space(u, at::zeros({31}), at::zeros({1, 2, 3, 3, 8}), 1, true), c10::Error);
}

}  // namespace
}  // namespace faststar
