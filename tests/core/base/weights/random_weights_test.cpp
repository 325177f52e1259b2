
#include <ATen/ATen.h>

#include <cmath>

#include "core/base/weights/weights.h"
#include "support/support.h"

namespace faststar {
namespace {

Weights weights_of(uint64_t seed, at::Device device, at::ScalarType dtype = at::kFloat) {
  return Weights(make_random_weights(seed), device, dtype);
}

TEST_CASE("a random weight depends on seed, name and shape, not on the order of asking", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Weights first = weights_of(7, device);
  const Tensor a = first.get("a.weight", {32, 64});
  const Tensor b = first.get("b.weight", {32, 64});
  const Weights again = weights_of(7, device);
  CHECK(test::same(again.get("b.weight", {32, 64}), b));
  CHECK(test::same(again.get("a.weight", {32, 64}), a));
  CHECK_FALSE(test::same(a, b));
  CHECK_FALSE(test::same(weights_of(8, device).get("a.weight", {32, 64}), a));
  CHECK_FALSE(test::same(again.get("a.weight", {64, 32}).view({32, 64}), a));
}

TEST_CASE("random weights keep activations at the scale of their input", "[weights_files]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const Weights weights = weights_of(1, device, dtype);
  const auto std_over = [&](double expected, const char* name, at::IntArrayRef shape) {
    const Tensor tensor = weights.get(name, shape);
    CHECK(tensor.dtype() == dtype);
    CHECK(tensor.device() == device);
    return tensor.to(at::kFloat).std().item<double>() / expected;
  };
  CHECK(std::abs(std_over(1 / 20.0, "mlp.down_proj.weight", {128, 400}) - 1) < 0.05);
  CHECK(std::abs(std_over(1 / std::sqrt(432.0), "conv.weight", {64, 16, 3, 3, 3}) - 1) < 0.05);
  CHECK(std::abs(std_over(1 / 8.0, "shared.weight", {500, 64}) - 1) < 0.05);
  CHECK(std::abs(std_over(0.02, "conv.bias", {2000}) - 1) < 0.1);
}

TEST_CASE("random norm scales are ones", "[weights_files]") {
  const Weights weights = weights_of(1, at::kCPU);
  for (const char* name : {"input_layernorm.weight", "attn.q_norm.weight", "final_layer_norm.weight",
                           "norm_hidden_sates.weight", "norm1.gamma", "scale_learnable_parameters"}) {
    INFO(name);
    CHECK(test::same(weights.get(name, {4}), at::ones({4})));
  }
}

TEST_CASE("the fingerprint of random weights names their seed", "[weights_files]") {
  CHECK(fingerprint(*make_random_weights(1)) == fingerprint(*make_random_weights(1)));
  CHECK(fingerprint(*make_random_weights(1)) != fingerprint(*make_random_weights(2)));
}

}  // namespace
}  // namespace faststar
