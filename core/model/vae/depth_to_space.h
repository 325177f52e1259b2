#pragma once
#include <cstdint>

#include "core/base/tensor.h"

namespace faststar {

/// What an upsampling block's convolution made, u [B, T, H, W, time * 4 * C], with its channels turned into frames and
/// pixels: frame and pixel within the 2x2 block first, channel innermost (not pixel_shuffle's order, which has the
/// channel outermost). `bias` [time * 4 * C] is added before, unless undefined, and after it the shortcut: the channels
/// of x [B, T, H, W, C or 2C or 4C], repeated and turned in the same way. At the video's start the frames that the
/// first one became are averaged. Returns [B, T * time or 1 + (T - 1) * time, 2H, 2W, C], dtype and device of u. Throws
/// c10::Error when shapes disagree. Source: DCUpBlock3d, infinity/models/videovae/modules/conv_wan.py.
Tensor depth_to_space(const Tensor& u, const Tensor& bias, const Tensor& x, int64_t time, bool at_start);

namespace reference {
/// The same in plain ATen, on any device; differentiable.
Tensor depth_to_space(const Tensor& u, const Tensor& bias, const Tensor& x, int64_t time, bool at_start);
}  // namespace reference

}  // namespace faststar
