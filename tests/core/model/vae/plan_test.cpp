#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <functional>

#include "core/base/device.h"
#include "core/base/weights/weights.h"
#include "core/model/vae/architecture.h"
#include "core/model/vae/golden_vae.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr VideoShape k720p = {.height = 720, .width = 1280, .frames = 81};

/// Widths that double, quadruple and stay: no two blocks are alike.
constexpr VaeArchitecture kSmall = {
    .block_out_channels = {8, 16, 64, 64, 64}, .latent_channels = 6, .layers_per_block = 1};

/// Random weights that count the parameters that are read.
class CountedWeights final : public TensorSource {
 public:
  const std::map<std::string, TensorInfo>& tensors() const override { return source_->tensors(); }
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override {
    Tensor tensor = source_->read(name, info, device);
    if (name != "scale_learnable_parameters") read_ += tensor.numel();
    return tensor;
  }
  std::string origin() const override { return "counted"; }
  bool makes_any() const override { return true; }
  int64_t parameters() const { return read_; }

 private:
  std::shared_ptr<const TensorSource> source_ = make_random_weights(1);
  mutable int64_t read_ = 0;
};

/// What a run of the real network does.
struct Trace {
  double flops = 0;        ///< of 3x3x3 convolutions
  int64_t live_bytes = 0;  ///< of CPU tensors that the run allocated
  int64_t peak_bytes = 0;  ///< the most of them when a convolution or a copy ends
};

/// Counts the CPU memory of this thread's tensors.
struct CountedMemory final : c10::MemoryReportingInfoBase {
  explicit CountedMemory(Trace& counted) : trace(counted) {}
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override { trace.live_bytes += bytes; }
  bool memoryProfilingEnabled() const override { return true; }
  Trace& trace;
};

thread_local Trace* traced = nullptr;

/// Operations per element of a convolution's result.
struct ConvolutionCall final : at::ObserverContext {
  double flops = 0;
};

/// With oneDNN the layers call its convolution by name; elsewhere every convolution passes through the second function.
bool is_convolution(const at::RecordFunction& call) {
  const std::string_view name = call.name();
  return name == "aten::mkldnn_convolution" || name == "aten::_convolution";
}

std::unique_ptr<at::ObserverContext> begin_call(const at::RecordFunction& call) {
  auto context = std::make_unique<ConvolutionCall>();
  if (is_convolution(call)) {
    const Tensor weight = call.inputs()[1].toTensor();
    context->flops = 2.0 * static_cast<double>(weight.numel() / weight.size(0));
  }
  return context;
}

/// The plan is for the fused norm, so that what the norm's reference holds in between must not count: it has neither
/// convolutions nor copies.
void end_call(const at::RecordFunction& call, at::ObserverContext* context) {
  if (!is_convolution(call) && std::string_view(call.name()) != "aten::clone") return;
  traced->peak_bytes = std::max(traced->peak_bytes, traced->live_bytes);
  if (!is_convolution(call)) return;
  traced->flops +=
      static_cast<ConvolutionCall*>(context)->flops * static_cast<double>(call.outputs()[0].toTensor().numel());
}

Trace trace(const std::function<void()>& run) {
  Trace result;
  traced = &result;
  const c10::DebugInfoGuard memory(c10::DebugInfoKind::PROFILER_STATE, std::make_shared<CountedMemory>(result));
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(begin_call, end_call)
                                                     .needsInputs(true)
                                                     .needsOutputs(true)
                                                     .scopes({at::RecordScope::FUNCTION}));
  run();
  at::removeCallback(handle);
  return result;
}

TEST_CASE("the VAE's parameters are counted as its layers load them", "[vae]") {
  const VaeArchitecture architecture =
      GENERATE(VaeArchitecture(kSmall), VaeArchitecture{.block_out_channels = {8, 16, 16, 16, 16}});
  const auto source = std::make_shared<CountedWeights>();
  const Weights weights(source, at::kCPU, at::kBFloat16);
  const VideoVae decoder(weights, architecture, VaeParts::decoder);
  CHECK(decoder_parameter_count(architecture) == source->parameters());
  const int64_t decoder_alone = source->parameters();
  const VideoVae both(weights, architecture, VaeParts::encoder_and_decoder);
  CHECK(encoder_parameter_count(architecture) == source->parameters() - 2 * decoder_alone);
}

TEST_CASE("the released decoder has the parameters that its authors count", "[vae]") {
  constexpr int64_t kProjection = 64 * 64 + 64;
  CHECK(decoder_parameter_count({}) == 129'920'451 + kProjection);
}

TEST_CASE("a decode does what its plan says", "[vae]") {
  const int64_t latents = GENERATE(1, 2, 5, 6);
  const int64_t slice = GENERATE(1, 2);
  const c10::InferenceMode guard;
  const VideoShape size{.height = 64, .width = 96, .frames = frames_of_latents(latents)};
  const VideoVae vae(Weights(make_random_weights(1), at::kCPU, at::kFloat), kSmall, VaeParts::decoder);
  const Tensor features = test::seeded_randn({1, kSmall.feature_channels(), latents, 4, 6}, 1);
  const Trace run = trace([&] { vae.decode(features, [](const Tensor&) {}, {.slice_latents = slice}); });
  CAPTURE(latents, slice, run.peak_bytes);
  CHECK(run.flops == decode_flops(kSmall, size));
  const auto peak = static_cast<double>(decode_peak_bytes(kSmall, size, at::kFloat, {.slice_latents = slice}));
  CHECK(static_cast<double>(run.peak_bytes) == Approx(peak).epsilon(0.03));
}

TEST_CASE("an encode does what its plan says", "[vae]") {
  const int64_t frames = GENERATE(1, 5, 9, 17);
  const c10::InferenceMode guard;
  const VideoShape size{.height = 64, .width = 96, .frames = frames};
  const VideoVae vae(Weights(make_random_weights(1), at::kCPU, at::kFloat), kSmall);
  const Trace run = trace([&] { vae.encode(test::seeded_randn({1, 3, frames, 64, 96}, 1)); });
  CAPTURE(frames, run.peak_bytes);
  CHECK(run.flops == encode_flops(kSmall, size));
  // On a CPU there is no workspace: three inputs of the widest residual block.
  const int64_t slice = std::min(frames, kEncodeSliceFrames);
  const int64_t workspace = 3 * slice * size.height * size.width * kSmall.block_out_channels[0] * 4;
  const auto peak = static_cast<double>(encode_peak_bytes(kSmall, size) - workspace);
  CHECK(static_cast<double>(run.peak_bytes) == Approx(peak).epsilon(0.03));
}

TEST_CASE("shorter slices and pictures need less memory", "[vae]") {
  const auto peak = [](const VideoShape& size, at::ScalarType dtype, int64_t slice) {
    return decode_peak_bytes({}, size, dtype, {.slice_latents = slice});
  };
  CHECK(peak(k720p, at::kBFloat16, 1) < peak(k720p, at::kBFloat16, 2));
  CHECK(peak(k720p, at::kBFloat16, 21) == peak(k720p, at::kBFloat16, 100));
  CHECK(peak(k720p, at::kFloat, 2) == 2 * peak(k720p, at::kBFloat16, 2));
  CHECK(peak({.height = 720, .width = 1280, .frames = 1}, at::kBFloat16, 2) < peak(k720p, at::kBFloat16, 1));
}

TEST_CASE("a decode on the GPU takes the memory that was planned", "[vae][cuda]") {
  for (const auto device : test::test_devices()) {
    if (!device.is_cuda()) continue;
    const c10::InferenceMode guard;
    const VaeArchitecture architecture{.block_out_channels = {96, 192, 192, 192, 192}};
    const VideoShape size{.height = 288, .width = 480, .frames = 17};
    const VideoVae vae(Weights(make_random_weights(1), device, at::kBFloat16), architecture, VaeParts::decoder);
    const Tensor features = test::seeded_randn({1, 64, 5, 18, 30}, 1, device);
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
