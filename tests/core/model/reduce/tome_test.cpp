#include "core/model/reduce/tome.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

Tensor indices(std::vector<int64_t> values) { return at::tensor(values, at::kLong); }

TEST_CASE("one destination stands in each whole cell", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const ToMeOptions options;
  const Scale scale{4, 5, 7};
  const MergePartition partition = partition_tokens(options, {.seed = 1}, scale, device);
  REQUIRE(partition.dst.size(0) == 2 * 2 * 3);
  CHECK(partition.src.size(0) == scale.tokens() - 12);
  const Tensor token = partition.dst.cpu();
  const Tensor cell = token.div(35, "floor").div(2, "floor") * 6 +
                      token.remainder(35).div(7, "floor").div(2, "floor") * 3 + token.remainder(7).div(2, "floor");
  CHECK(test::same(std::get<0>(cell.sort()), at::arange(12)));
}

TEST_CASE("the most similar sources go into their destinations", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  // Destinations 0 (x) and 2 (y); sources 1 (almost y), 3 (between), 4 (x), 5 (zero: like nothing).
  const Tensor features =
      at::tensor({1.0f, 0.0f, 0.1f, 1.0f, 0.0f, 1.0f, 1.0f, 1.0f, 3.0f, 0.0f, 0.0f, 0.0f}).view({6, 2}).to(device);
  const MergePartition partition{indices({0, 2}).to(device), indices({1, 3, 4, 5}).to(device)};
  const TokenMerge merge = match_tokens(partition, features, 4, {});
  CHECK(test::same(merge.positions, indices({0, 2, 3, 5})));
  CHECK(test::same(merge.source, indices({0, 1, 1, 2, 0, 3})));
  const Tensor merged = merge_tokens(merge, features.unsqueeze(0))[0];
  CHECK(test::relative_error(merged[0], at::tensor({2.0f, 0.0f})) < 1e-6);
  CHECK(test::relative_error(merged[1], at::tensor({0.05f, 1.0f})) < 1e-6);
}

}  // namespace
}  // namespace faststar
