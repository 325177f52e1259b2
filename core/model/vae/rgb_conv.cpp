#include "core/model/vae/rgb_conv.h"

#include <ATen/ATen.h>

#include <array>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

void check_rgb_conv(const Tensor& extended, const Tensor& weight, const Tensor& bias) {
  const bool fits =
      extended.dim() == 5 && extended.size(1) > 2 && weight.sizes() == at::IntArrayRef{3, extended.size(4), 3, 3, 3} &&
      bias.sizes() == at::IntArrayRef{3} && weight.dtype() == extended.dtype() && bias.dtype() == extended.dtype();
  TORCH_CHECK(fits, "rgb_conv: extended ", extended.sizes(), ", weight ", weight.sizes(), " and bias ", bias.sizes(),
              " do not fit together");
}

/// The weights in the order in which the lanes of a warp hold them (PTX, mma.m16n8k16, matrix B): [9, C / 16, 32, 8].
/// Of 16 columns, 2 o and 2 o + 1 are channel o of the first and second tap in time, 8 + 2 o that of the third; the
/// others are zero.
Tensor pack_weights(const Tensor& weight) {
  const int64_t C = weight.size(1);
  const Tensor taps = weight.permute({3, 4, 1, 2, 0}).reshape({9, C, 3, 3});  // [height and width, C, time, o]
  const Tensor columns = at::zeros({9, C, 2, 4, 2}, weight.options());        // [.., block of 8, o, time % 2]
  const Tensor used = columns.narrow(3, 0, 3);
  used.select(2, 0).copy_(taps.narrow(2, 0, 2).transpose(2, 3));
  used.select(2, 1).select(3, 0).copy_(taps.select(2, 2));
  // Lane 4 g + i holds rows 2 i, 2 i + 1, 2 i + 8 and 2 i + 9 of column g, of both blocks.
  return columns.view({9, C / 16, 2, 4, 2, 2, 8}).permute({0, 1, 6, 3, 5, 2, 4}).reshape({9, C / 16, 32, 8});
}

Tensor compute(const Tensor& given, const Tensor& weight, const Tensor& given_bias) {
  const Tensor extended = kernel_operand(given), weights = kernel_operand(pack_weights(weight)),
               bias = kernel_operand(given_bias);
  const int64_t B = extended.size(0), T = extended.size(1) - 2, H = extended.size(2), W = extended.size(3);
  const Tensor out = at::empty({B, T, H, W, 3}, extended.options());
  cuda::rgb_conv({.extended = extended.const_data_ptr(),
                  .weights = weights.const_data_ptr(),
                  .bias = bias.const_data_ptr(),
                  .out = out.mutable_data_ptr(),
                  .batch = B,
                  .frames = T,
                  .height = H,
                  .width = W,
                  .channels = extended.size(4)},
                 kernel_stream({extended, weights, bias, out}));
  return out;
}

}  // namespace

bool rgb_conv_takes(const Tensor& extended, const Tensor& weight, const Tensor& bias) {
  return kernels_take(extended) && extended.scalar_type() == at::kBFloat16 && weight.size(0) == 3 &&
         cuda::rgb_conv_takes(extended.size(4)) && !needs_gradient({extended, weight, bias});
}

Tensor reference::rgb_conv(const Tensor& extended, const Tensor& weight, const Tensor& bias) {
  check_rgb_conv(extended, weight, bias);
  constexpr std::array<int64_t, 3> kStride = {1, 1, 1}, kPadding = {0, 1, 1};
  return at::conv3d(extended.permute({0, 4, 1, 2, 3}), weight, bias, kStride, kPadding).permute({0, 2, 3, 4, 1});
}

Tensor rgb_conv(const Tensor& extended, const Tensor& weight, const Tensor& bias) {
  check_rgb_conv(extended, weight, bias);
  if (rgb_conv_takes(extended, weight, bias)) return compute(extended, weight, bias);
  return reference::rgb_conv(extended, weight, bias);
}

}  // namespace faststar
