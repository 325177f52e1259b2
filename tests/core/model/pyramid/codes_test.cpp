#include "core/model/pyramid/codes.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

using Catch::Matchers::WithinAbs;

float at_channel(const Tensor& map, int64_t channel) { return map[0][channel][0][0][0].item<float>(); }

TEST_CASE("bits become codes of unit length and come back from their signs", "[pyramid]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const int64_t d = GENERATE(kSemanticBits, kDetailBits);
  const Tensor bits = test::seeded_randn({1, 3, 4, 5, d}, 1).gt(0).to(at::kByte).to(device);
  const Tensor codes = codes_from_bits(bits);
  CHECK(codes.sizes() == at::IntArrayRef{1, d, 3, 4, 5});
  CHECK(test::relative_error(codes.square().sum(1), at::ones({1, 3, 4, 5})) < 1e-6);
  CHECK(test::same(bits_from_features(codes), bits));
}

TEST_CASE("a feature of zero is bit zero", "[pyramid]") {
  CHECK(bits_from_features(at::zeros({1, 16, 1, 1, 1})).sum().item<int64_t>() == 0);
}

TEST_CASE("16 channels are interpolated to 64, not padded", "[pyramid]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = at::arange(16, at::kFloat).view({1, 16, 1, 1, 1}).to(device);
  const Tensor up = upsample_codes(x, {1, 1, 1});
  CHECK_THAT(at_channel(up, 0), WithinAbs(0.0, 1e-6));
  CHECK_THAT(at_channel(up, 4 * 5 + 0), WithinAbs(0.375 * 4 + 0.625 * 5, 1e-6));
  CHECK_THAT(at_channel(up, 4 * 5 + 1), WithinAbs(0.125 * 4 + 0.875 * 5, 1e-6));
  CHECK_THAT(at_channel(up, 4 * 5 + 2), WithinAbs(0.875 * 5 + 0.125 * 6, 1e-6));
  CHECK_THAT(at_channel(up, 63), WithinAbs(15.0, 1e-6));
}

TEST_CASE("64 channels are averaged by fours", "[pyramid]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = at::arange(64, at::kFloat).view({1, 64, 1, 1, 1}).to(device);
  const Tensor down = downsample_features(x, 16, {1, 1, 1});
  CHECK_THAT(at_channel(down, 0), WithinAbs(1.5, 1e-6));
  CHECK_THAT(at_channel(down, 15), WithinAbs(61.5, 1e-5));
}

TEST_CASE("resampling never mixes frames", "[pyramid]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor map = test::seeded_randn({1, 64, 3, 12, 21}, 2, device);
  const Scale coarse{3, 5, 9};
  const Tensor down = downsample_features(map, 16, coarse);
  const Tensor up = upsample_codes(down, {3, 12, 21});
  const Tensor middle = map.narrow(2, 1, 1);
  CHECK(test::relative_error(down.narrow(2, 1, 1), downsample_features(middle, 16, {1, 5, 9})) < 1e-6);
  CHECK(test::relative_error(up.narrow(2, 1, 1), upsample_codes(down.narrow(2, 1, 1), {1, 12, 21})) < 1e-6);
}

TEST_CASE("conditioning bits approximate the features better with every scale", "[pyramid]") {
  const Schedule schedule = make_schedule(0.562, "0.06M", 5, 4);
  const Repetitions repetitions{std::vector<int>(11, 1), std::vector<int>(11, 2)};
  const Tensor features = test::seeded_randn({1, 64, 5, 12, 21}, 3) * 0.1;
  const auto bits = condition_bits(features, schedule, repetitions, 100);
  REQUIRE(bits.size() == 33);
  CHECK(bits.front().sizes() == at::IntArrayRef{1, 1, 1, 1, 16});
  CHECK(bits.back().sizes() == at::IntArrayRef{1, 4, 12, 21, 64});
  const double before = features.square().mean().item<double>();
  const double after = (features - accumulated_features(bits, schedule, repetitions)).square().mean().item<double>();
  CHECK(after < 0.9 * before);
}

TEST_CASE("the image clip alone can be conditioned", "[pyramid]") {
  const Schedule schedule = make_schedule(0.562, "0.06M", 5, 4);
  const Repetitions repetitions{std::vector<int>(11, 3), std::vector<int>(11, 1)};
  CHECK(condition_bits(at::zeros({1, 64, 1, 12, 21}), schedule, repetitions, 100).size() == 33);
  CHECK_THROWS_AS(condition_bits(at::zeros({1, 64, 3, 12, 21}), schedule, repetitions, 100), Error);
  CHECK_THROWS_AS(condition_bits(at::zeros({1, 64, 1, 12, 20}), schedule, repetitions, 100), Error);
}

}  // namespace
}  // namespace faststar
