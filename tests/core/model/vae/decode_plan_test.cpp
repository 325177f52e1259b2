#include "core/model/vae/decode_plan.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "core/base/device.h"
#include "core/base/weights/random_weights.h"
#include "core/model/vae/golden_vae.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr DecodeSize k720p = {.height = 45, .width = 80, .latents = 21};

TEST_CASE("the decoder's parameters are counted", "[vae]") {
  constexpr int64_t kProjection = 64 * 64 + 64;
  CHECK(decoder_parameter_count({}) == 129'920'451 + kProjection);  // the released model

  const Weights weights = test::golden_vae_weights(at::kCPU);
  int64_t stored = 0;
  for (const auto& [name, info] : weights.source().tensors()) {
    if (name.starts_with("decoder.") || name.starts_with("proj_up.")) stored += *checked_numel(info.shape);
  }
  CHECK(decoder_parameter_count(detect_vae_architecture(weights)) == stored);
}

TEST_CASE("shorter slices and pictures need less memory", "[vae]") {
  const auto peak = [](const DecodeSize& size, at::ScalarType dtype, int64_t slice) {
    return decode_peak_bytes({}, size, dtype, {.slice_latents = slice});
  };
  CHECK(peak(k720p, at::kBFloat16, 1) < peak(k720p, at::kBFloat16, 2));
  CHECK(peak(k720p, at::kBFloat16, 21) == peak(k720p, at::kBFloat16, 100));
  CHECK(peak(k720p, at::kFloat, 2) == 2 * peak(k720p, at::kBFloat16, 2));
  CHECK(peak({.height = 45, .width = 80, .latents = 1}, at::kBFloat16, 2) < peak(k720p, at::kBFloat16, 1));
}

TEST_CASE("a decode on the GPU takes the memory that was planned", "[vae][cuda]") {
  for (const auto device : test::test_devices()) {
    if (!device.is_cuda()) continue;
    const c10::InferenceMode guard;
    const VaeArchitecture architecture{.block_out_channels = {96, 192, 192, 192, 192}};
    const DecodeSize size{.height = 18, .width = 30, .latents = 5};
    const VideoVae vae(Weights(make_random_weights(1), device, at::kBFloat16), architecture, VaeParts::decoder);
    const Tensor features = test::seeded_randn({1, 64, size.latents, size.height, size.width}, 1, device);
    synchronize(device);
    reset_peak_device_bytes(device);
    const int64_t held = peak_device_bytes(device);
    vae.decode(features, [](const Tensor&) {});
    synchronize(device);
    const auto used = static_cast<double>(peak_device_bytes(device) - held);
    CHECK(used == Approx(static_cast<double>(decode_peak_bytes(architecture, size, at::kBFloat16))).epsilon(0.1));
  }
}

}  // namespace
}  // namespace faststar
