#include "core/model/reduce/selection.h"

#include <ATen/ATen.h>

#include <limits>

#include "support/support.h"

namespace faststar {
namespace {

Tensor longs(std::vector<int64_t> values) { return at::tensor(values, at::kLong); }

TEST_CASE("the highest scores are kept, in ascending order of index", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Selection selection = select_top({.score = at::tensor({0.5f, 3.0f, -1.0f, 2.0f}).to(device)}, 2);
  CHECK(test::same(selection.kept, longs({1, 3})));
  CHECK(test::same(selection.mask, at::tensor({0, 1, 0, 1}, at::kByte)));
}

TEST_CASE("a primary score comes first", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Selection selection = select_top({.score = at::tensor({0.1f, 3.0f, 0.3f, 0.2f}).to(device),
                                          .primary = at::tensor({1.0f, 0.0f, 1.0f, 1.0f}).to(device)},
                                         2);
  CHECK(test::same(selection.kept, longs({2, 3})));
}

TEST_CASE("equal scores fall to the random words, never to the sort", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor equal = at::zeros({1000}, at::TensorOptions(device));
  const Selection hashed = select_top({.score = equal, .step = {.seed = 3}}, 500);
  const double first_half = hashed.mask.narrow(0, 0, 500).sum().item<double>();
  CHECK(std::abs(first_half - 250) < 60);
  CHECK_FALSE(test::same(hashed.kept, select_top({.score = equal, .step = {.seed = 4}}, 500).kept));
  CHECK(test::same(hashed.kept, select_top({.score = equal, .step = {.seed = 3}}, 500).kept));
}

TEST_CASE("no number is kept first and zeros have one sign", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor score = at::tensor({1.0f, nan, 2.0f, -nan}).to(device);
  CHECK(test::same(select_top({.score = score}, 2).kept, longs({1, 3})));
  const Tensor zeros = at::tensor({-0.0f, 0.0f}).to(device);
  const Selection equal = select_top({.score = at::zeros_like(zeros)}, 1);
  CHECK(test::same(select_top({.score = zeros}, 1).kept, equal.kept));
  CHECK(test::same(select_top({.score = -zeros}, 1).kept, equal.kept));
}

TEST_CASE("select_top agrees with the reference", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const int64_t count = GENERATE(1, 37, 5000);
  const bool with_primary = GENERATE(false, true);
  CAPTURE(device, count, with_primary);
  // Few different values, so that ties decide.
  Ranking ranking{.score = (test::seeded_randn({count}, 1, device) * 3).round(),
                  .step = {.seed = 77, .clip = 1, .scale = 29, .repetition = 2}};
  if (with_primary) ranking.primary = test::seeded_randn({count}, 2, device).round();
  Ranking host = ranking;
  host.score = host.score.cpu();
  if (with_primary) host.primary = host.primary.cpu();
  for (const int64_t keep : {int64_t{0}, count / 3, count}) {
    const Selection selection = select_top(ranking, keep);
    const Selection expected = reference::select_top(host, keep);
    CHECK(test::same(selection.kept, expected.kept));
    CHECK(test::same(selection.mask, expected.mask));
    CHECK(test::same(reference::select_top(ranking, keep).kept, expected.kept));
  }
}

TEST_CASE("kept indices ascend strictly and match the mask", "[reduce]") {
  const Selection selection = select_top({.score = test::seeded_randn({999}, 5)}, 300);
  CHECK(selection.kept.diff().gt(0).all().item<bool>());
  CHECK(test::same(marked_tokens(selection.mask), selection.kept));
}

}  // namespace
}  // namespace faststar
