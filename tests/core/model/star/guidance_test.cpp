#include "core/model/star/guidance.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("greedy takes the more probable bit, zero on a tie", "[star]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor logits = at::tensor({0.0f, 1.0f, 1.0f, 0.0f, 2.0f, 2.0f, -1.0f, -0.5f}).view({1, 8}).to(device);
  CHECK(test::same(sample_bits(logits, Sampling::greedy, {}).cpu(), at::tensor({1, 0, 0, 1}, at::kByte).view({1, 4})));
}

TEST_CASE("philox draws ones at the rate the logits ask for", "[star]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const double probability = 0.2;
  Tensor logits = at::zeros({5000, 32}, at::TensorOptions(device));
  logits.slice(1, 1, 32, 2).fill_(std::log(probability / (1 - probability)));
  const double rate = sample_bits(logits, Sampling::philox, {.seed = 7}).to(at::kFloat).mean().item<double>();
  CHECK(std::abs(rate - probability) < 0.01);  // 80,000 draws: 7 standard deviations
}

TEST_CASE("tokens draw their own numbers whoever else is there", "[star]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto sampling = GENERATE(Sampling::philox, Sampling::greedy);
  const Tensor logits = test::seeded_randn({64, 32}, 1, device);
  const Tensor kept = at::tensor({3, 17, 18, 60}, at::kLong).to(device);
  const RandomStep step{.seed = 7, .clip = 1, .scale = 26, .repetition = 1};
  CHECK(test::same(sample_bits(logits.index_select(0, kept), sampling, step, kept),
                   sample_bits(logits, sampling, step).index_select(0, kept)));
}

TEST_CASE("another seed, scale, repetition or clip draws other bits", "[star]") {
  const Tensor logits = at::zeros({64, 32});
  const Tensor first = sample_bits(logits, Sampling::philox, {.seed = 1});
  CHECK(test::same(first, sample_bits(logits, Sampling::philox, {.seed = 1})));
  CHECK_FALSE(test::same(first, sample_bits(logits, Sampling::philox, {.seed = 2})));
  CHECK_FALSE(test::same(first, sample_bits(logits, Sampling::philox, {.seed = 1, .clip = 1})));
  CHECK_FALSE(test::same(first, sample_bits(logits, Sampling::philox, {.seed = 1, .scale = 1})));
  CHECK_FALSE(test::same(first, sample_bits(logits, Sampling::philox, {.seed = 1, .repetition = 1})));
}

TEST_CASE("APG adds what is at right angles to the conditional logits and nothing along them", "[star]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor cond = test::seeded_randn({37, 32}, 1, device);
  const Tensor uncond = test::seeded_randn({37, 32}, 2, device);
  const GuidanceSettings settings{.method = GuidanceMethod::apg, .scale = 34, .norm_threshold = 0.05};
  const Tensor added = guide(cond, uncond, settings) - cond;
  const double along = (added * cond).sum().item<double>() / (added.norm() * cond.norm()).item<double>();
  CHECK(std::abs(along) < 1e-5);
  const double rms = added.square().mean().sqrt().item<double>();
  CHECK(rms <= 33 * 0.05 * 1.0001);
  CHECK(rms > 33 * 0.05 * 0.65);  // of two independent draws, the half that is not `cond`
}

TEST_CASE("APG with its own measures is APG", "[star]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor cond = test::seeded_randn({37, 32}, 1, device);
  const Tensor uncond = test::seeded_randn({37, 32}, 2, device);
  const double threshold = GENERATE(0.0, 0.05);
  const GuidanceSettings settings{.method = GuidanceMethod::apg, .scale = 34, .norm_threshold = threshold};
  CHECK(test::relative_error(guide_as_measured(cond, uncond, settings, measure_apg(cond, uncond, settings)),
                             guide(cond, uncond, settings)) < 1e-5);
}

TEST_CASE("a guidance scale of one is the conditional row", "[star]") {
  const Tensor cond = test::seeded_randn({3, 32}, 1);
  const Tensor uncond = test::seeded_randn({3, 32}, 2);
  const auto method = GENERATE(GuidanceMethod::apg, GuidanceMethod::cfg);
  CHECK(test::same(guide(cond, uncond, {.method = method, .scale = 1}), cond));
}

}  // namespace
}  // namespace faststar
