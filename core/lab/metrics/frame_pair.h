#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Throws Error(input) unless `a` and `b` are frames [F, H, W, C] of one shape, the smallest side of which has at
/// least `smallest_side` pixels. `metric` begins the message.
void check_frame_pair(const char* metric, const Tensor& a, const Tensor& b, int64_t smallest_side = 1);

}  // namespace faststar
