#include <ATen/ATen.h>

#include <cmath>

#include "core/model/reduce/faststar.h"
#include "support/support.h"

namespace faststar {
namespace {

struct Case {
  at::Device device;
  int64_t frames, reference_frames;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const auto device : test::test_devices()) {
    for (const int64_t reference_frames : {1, 3, 5}) list.push_back({device, 5, reference_frames});
  }
  return list;
}

SimilarityMaps random_maps(const Case& c) {
  const auto map = [&](int64_t frames, uint64_t seed) {
    return test::seeded_randn({1, 64, frames, 7, 9}, seed, c.device);
  };
  SimilarityMaps maps{map(c.frames, 1), map(c.frames, 2), map(c.reference_frames, 3)};
  maps.previous = maps.current + 0.1 * maps.previous;
  maps.previous.select(3, 0).copy_(maps.current.select(3, 0));  // converged
  maps.current.select(3, 1).zero_();
  maps.previous.select(4, 0).zero_();
  return maps;
}

/// The position's cosine in float64.
double exact_cosine(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kDouble);
  const Tensor y = b.to(at::kDouble);
  return ((x * y).sum() / (x.norm() * y.norm())).item<double>();
}

/// One multiply-add a channel, in order.
float sum_of_products(const float* a, const float* b) {
  float sum = 0;
  for (int64_t c = 0; c < 64; ++c) sum = std::fma(a[c], b[c], sum);
  return sum;
}

TEST_CASE("every device gives the same bits", "[reduce][kernels]") {
  const Case c = GENERATE(from_range(cases()));
  const auto p = GENERATE(NormDegree::one, NormDegree::two, NormDegree::infinity);
  const SimilarityMaps maps = random_maps(c);
  const SimilarityScore score = similarity_score(maps, p);
  const SimilarityScore expected =
      reference::similarity_score({maps.current.cpu(), maps.previous.cpu(), maps.reference.cpu()}, p);
  CHECK(test::same(score.spatial, expected.spatial));
  CHECK(test::same(score.temporal, expected.temporal));
  CHECK(test::same(score.score, expected.score));
}

TEST_CASE("one term alone leaves the other undefined", "[reduce][kernels]") {
  const Case c = GENERATE(from_range(cases()));
  SimilarityMaps maps = random_maps(c);
  const SimilarityScore both = similarity_score(maps, NormDegree::two);
  const Tensor reference_map = maps.reference;
  maps.reference.reset();
  const SimilarityScore spatial = similarity_score(maps, NormDegree::two);
  CHECK(test::same(spatial.spatial, both.spatial));
  CHECK_FALSE(spatial.temporal.defined());
  CHECK(test::same(spatial.score, (1 - both.spatial).clamp_min(0).square()));
  const SimilarityScore temporal = similarity_score({maps.current, {}, reference_map}, NormDegree::two);
  CHECK(test::same(temporal.temporal, both.temporal));
  CHECK_FALSE(temporal.spatial.defined());
}

TEST_CASE("channels are summed in order with one rounding each", "[reduce]") {
  constexpr int64_t kPositions = 2000;  // enough for a square root that is rounded to the wrong side
  const SimilarityMaps maps{
      test::seeded_randn({1, 64, 1, 1, kPositions}, 1), test::seeded_randn({1, 64, 1, 1, kPositions}, 2), {}};
  const Tensor spatial = similarity_score(maps, NormDegree::one).spatial.flatten();
  const Tensor previous = maps.previous.view({64, kPositions}).t().contiguous();
  const Tensor current = maps.current.view({64, kPositions}).t().contiguous();
  std::vector<float> expected;
  for (int64_t i = 0; i < kPositions; ++i) {
    const float* a = previous.const_data_ptr<float>() + 64 * i;
    const float* b = current.const_data_ptr<float>() + 64 * i;
    const float norms = std::sqrt(sum_of_products(a, a)) * std::sqrt(sum_of_products(b, b));
    expected.push_back(sum_of_products(a, b) / norms);
  }
  CHECK(test::same(spatial, at::tensor(expected)));
}

TEST_CASE("scores order positions as float64 does", "[reduce]") {
  const auto p = GENERATE(NormDegree::one, NormDegree::two, NormDegree::infinity);
  const SimilarityMaps maps{test::seeded_randn({1, 64, 2, 4, 5}, 1), test::seeded_randn({1, 64, 2, 4, 5}, 2),
                            test::seeded_randn({1, 64, 1, 4, 5}, 3)};
  const Tensor score = similarity_score(maps, p).score.flatten();
  std::vector<double> exact;
  for (int64_t i = 0; i < 40; ++i) {
    const auto vector = [&](const Tensor& map) { return map.flatten(2)[0].select(1, i % (map.size(2) * 20)); };
    const double spatial = 1 - exact_cosine(vector(maps.previous), vector(maps.current));
    const double temporal = 1 - exact_cosine(vector(maps.current), vector(maps.reference));
    exact.push_back(p == NormDegree::one   ? spatial + temporal
                    : p == NormDegree::two ? spatial * spatial + temporal * temporal
                                           : std::max(spatial, temporal));
  }
  CHECK(test::relative_error(score, at::tensor(exact)) < 1e-5);
  CHECK(test::same(score.argsort(), at::tensor(exact).argsort()));
}

TEST_CASE("zero vectors are settled when both are zero, unlike when one is", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor zero = at::zeros({1, 64, 1, 1, 1}, at::TensorOptions(device));
  const Tensor one = at::ones({1, 64, 1, 1, 1}, at::TensorOptions(device));
  CHECK(similarity_score({zero, zero, {}}, NormDegree::two).spatial.item<float>() == 1);
  CHECK(similarity_score({zero, one, {}}, NormDegree::two).spatial.item<float>() == 0);
  CHECK(similarity_score({one, one, {}}, NormDegree::two).score.item<float>() == 0);
}

TEST_CASE("a score that is no number stays one", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor one = at::ones({1, 64, 1, 1, 1}, at::TensorOptions(device));
  const Tensor broken = one * std::numeric_limits<float>::quiet_NaN();
  const auto p = GENERATE(NormDegree::one, NormDegree::two, NormDegree::infinity);
  CHECK(std::isnan(similarity_score({one, one, broken}, p).score.item<float>()));
  CHECK(std::isnan(similarity_score({one, broken, one}, p).score.item<float>()));
}

}  // namespace
}  // namespace faststar
