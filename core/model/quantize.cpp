#include "core/model/quantize.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// Sizes of a product on the GPU's matrix units are multiples of it.
constexpr int64_t kProductAlignment = 16;
/// The first GPUs that multiply E4M3.
constexpr int kFp8Capability = 89;

/// Room for the rounded rows of x, `width` long.
ScaledRows empty_rows(const Tensor& x, int64_t width) {
  auto sizes = x.sizes().vec(), scale_sizes = sizes;
  sizes.back() = width;
  scale_sizes.back() = 1;
  return {at::empty(sizes, x.options().dtype(at::kFloat8_e4m3fn)),
          at::empty(scale_sizes, x.options().dtype(at::kFloat))};
}

}  // namespace

ScaledRows ScaledRows::flattened() const { return {values.flatten(0, -2), is_fp8() ? scale.flatten(0, -2) : scale}; }

std::vector<ScaledRows> ScaledRows::split(int64_t count) const {
  std::vector<ScaledRows> pieces;
  for (int64_t from = 0; from < values.size(0); from += count) {
    const int64_t rows = std::min(count, values.size(0) - from);
    pieces.emplace_back(values.narrow(0, from, rows), is_fp8() ? scale.narrow(0, from, rows) : scale);
  }
  return pieces;
}

ScaledRows reference::quantize_rows(const Tensor& x) {
  const Tensor largest = x.abs().amax(-1, /*keepdim=*/true).to(at::kFloat);
  const Tensor factor = at::where(largest > 0, kLargestE4m3 / largest, 0.0f);
  return {(x.to(at::kFloat) * factor).to(at::kFloat8_e4m3fn), largest / kLargestE4m3};
}

std::optional<ScaledRows> quantize_rows_by_kernel(const Tensor& x, const BeforeRounding& before) {
  const int64_t width = before.gated ? x.size(-1) / 2 : x.size(-1);
  const bool readable = use_kernels(x) && x.is_contiguous();
  if (!readable || !cuda::quantize_rows_takes(width, float_type(x))) return std::nullopt;
  const Tensor read = kernel_operand(x), branch = kernel_operand(before.branch), &sum = before.sum;
  const Tensor weight = kernel_operand(before.norm_weight);
  ScaledRows rounded = empty_rows(x, width);
  cuda::quantize_rows({.values = rounded.values.mutable_data_ptr(),
                       .scale = rounded.scale.mutable_data_ptr<float>(),
                       .x = read.const_data_ptr(),
                       .branch = branch.defined() ? branch.const_data_ptr() : nullptr,
                       .sum = sum.defined() ? sum.mutable_data_ptr() : nullptr,
                       .norm_weight = weight.defined() ? weight.const_data_ptr<float>() : nullptr,
                       .rows = rounded.scale.numel(),
                       .width = width,
                       .gated = before.gated,
                       .eps = static_cast<float>(before.norm_eps)},
                      float_type(x), kernel_stream({read, branch, sum, weight, rounded.values, rounded.scale}));
  return rounded;
}

ScaledRows quantize_rows(const Tensor& x) {
  if (x.is_meta()) return empty_rows(x, x.size(-1));  // shapes alone: ATen has no such operations for it
  const std::optional<ScaledRows> rounded = quantize_rows_by_kernel(x);
  return rounded ? *rounded : reference::quantize_rows(x);
}

std::optional<std::string> fp8_obstacle(at::Device device) {
  const int capability = device.is_cuda() ? gpu_capability(device) : 0;
  if (capability >= kFp8Capability) return std::nullopt;
  return fmt::format(
      "needs a GPU of compute capability {}.{} or newer, but {}", kFp8Capability / 10, kFp8Capability % 10,
      device.is_cpu() ? std::string("the device is the CPU")
                      : fmt::format("{} has {}.{}", device_name(device), capability / 10, capability % 10));
}

Tensor reference::fp8_product(const ScaledRows& x, const ScaledRows& weight, at::ScalarType dtype) {
  const Tensor product = at::linear(x.values.to(at::kFloat), weight.values.to(at::kFloat));
  return (product * x.scale * weight.scale.view(-1)).to(dtype);
}

Tensor fp8_product(const ScaledRows& x, const ScaledRows& weight, at::ScalarType dtype) {
  const int64_t in = weight.values.size(1), out = weight.values.size(0);
  TORCH_CHECK(x.is_fp8() && weight.is_fp8() && x.values.size(-1) == in, "fp8_product: x ", x.values.sizes(),
              ", weight ", weight.values.sizes());
  const Tensor& values = x.values;
  if (!values.is_cuda() || in % kProductAlignment != 0 || out % kProductAlignment != 0 || dtype != at::kBFloat16 ||
      fp8_obstacle(values.device())) {
    return reference::fp8_product(x, weight, dtype);
  }
  const ScaledRows rows = x.flattened();
  const Tensor product = at::_scaled_mm(rows.values, weight.values.t(), rows.scale, weight.scale.t(), /*bias=*/{},
                                        /*scale_result=*/{}, dtype, /*use_fast_accum=*/true);
  auto sizes = values.sizes().vec();
  sizes.back() = out;
  return product.view(sizes);
}

}  // namespace faststar
