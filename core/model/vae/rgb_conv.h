#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// The decoder's last convolution, 3x3x3 to the three channels of a pixel, causal: extended [B, 2 + T, H, W, C]
/// (extend_in_time), weight [3, C, 3, 3, 3] and bias [3] in one dtype. Returns [B, T, H, W, 3]. Height and width are
/// padded with zeros; sums are float32, rounded once. Libraries pad the three channels to a tile of 32 or more, so that
/// most of their work is lost here.
Tensor rgb_conv(const Tensor& extended, const Tensor& weight, const Tensor& bias);

/// True when the kernel computes it: bfloat16 on a GPU, channels a multiple of 32, nothing to be differentiated.
bool rgb_conv_takes(const Tensor& extended, const Tensor& weight, const Tensor& bias);

namespace reference {
/// The same in plain ATen, on any device.
Tensor rgb_conv(const Tensor& extended, const Tensor& weight, const Tensor& bias);
}  // namespace reference

}  // namespace faststar
