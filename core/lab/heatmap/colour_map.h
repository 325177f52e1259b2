#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Values from 0 (dark violet) to 1 (yellow) as colours of even perceived steps; smaller and larger ones as 0 and
/// 1, NaN as 1. values: float32 [...] on the CPU. Returns uint8 [..., 3] RGB.
/// Source: the control points of viridis (S. van der Walt, N. Smith; CC0), with straight lines between.
Tensor viridis(const Tensor& values);

}  // namespace faststar
