#include <ATen/ATen.h>

#include "core/model/reduce/selection.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("a token's mean is that of adaptive pooling, bit for bit on every device", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Scale grid = GENERATE(Scale{2, 18, 32}, Scale{2, 1, 1}, Scale{2, 5, 7}, Scale{2, 45, 80});
  const Tensor map = test::seeded_randn({2, 45, 80}, 1, device);
  const Tensor mean = area_mean(map, grid);
  CHECK(test::same(mean, reference::area_mean(map.cpu(), grid)));
  CHECK(test::relative_error(mean, at::adaptive_avg_pool2d(map, {grid.h, grid.w})) < 1e-5);
}

TEST_CASE("positions are picked as torch's nearest modes pick them", "[reduce]") {
  const Tensor map = at::arange(45 * 80, at::kFloat).view({1, 45, 80});
  const Tensor corner = at::upsample_nearest2d(map.unsqueeze(0), {18, 32})[0];
  const Tensor centre = at::_upsample_nearest_exact2d(map.unsqueeze(0), {18, 32})[0];
  CHECK(test::same(pick_positions(map, {1, 18, 32}, Nearest::corner), corner));
  CHECK(test::same(pick_positions(map, {1, 18, 32}, Nearest::centre), centre));
  const Tensor tokens = at::arange(18 * 32, at::kFloat).view({1, 18, 32});
  CHECK(
      test::same(spread_tokens(tokens, {1, 45, 80}), at::_upsample_nearest_exact2d(tokens.unsqueeze(0), {45, 80})[0]));
}

TEST_CASE("the nearest marked token is in the same frame, lower index on a tie", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor mask = at::zeros({3, 2, 3}, at::kByte);
  mask[0][0][0] = 1;
  mask[0][0][2] = 1;
  mask[2][1][1] = 1;
  // Frame 1 has none: frame 0 is as near as frame 2 and comes first.
  const std::vector<int64_t> expected = {0, 0, 2, 0, 0, 2, 0, 0, 2, 0, 0, 2, 16, 16, 16, 16, 16, 16};
  CHECK(test::same(nearest_marked(mask.to(device)), at::tensor(expected, at::kLong)));
}

}  // namespace
}  // namespace faststar
