#pragma once
#include <span>

#include "core/base/tensor.h"

namespace faststar {

/// Clips side by side for the eye: a row of frames for each, evenly spaced from the first to the last, at half
/// size; rows run down the first column, then down the next. clips [3, F, H, W] floating-point in about [-1, 1],
/// all of one H and W. Returns [h, w, 3] uint8 RGB on the CPU.
Tensor contact_sheet(std::span<const Tensor> clips, int64_t frames_shown, int64_t columns);

}  // namespace faststar
