#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Decoded pixels as the 4:2:0 planes that H.264 stores (YUV420P, BT.601, limited range): 8-bit RGB as to_frames makes
/// it, then the integer arithmetic by which swscale converts that, with the same bits (core/media/colour.h;
/// cuda/bt601.h says which). A quarter of the bytes of bfloat16 pixels leave the GPU, and no thread has to convert
/// them.
///
/// decoded [1, 3, F, H, W] float32 or bfloat16, H and W even. Returns [F, 3 H / 2, W] uint8 on its device: in each
/// frame the plane of Y, then those of U and V, [H/2, W/2] each, packed. Throws c10::Error for another shape.
Tensor to_yuv420(const Tensor& decoded);

namespace reference {
/// The same in plain ATen, on any device.
Tensor to_yuv420(const Tensor& decoded);
}  // namespace reference

}  // namespace faststar
