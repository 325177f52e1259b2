#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in float32 and rounded once to the
/// dtype of `x` (T5LayerNorm, Qwen's RMSNorm: infinity/models/basic.py).
/// x [..., C] float32 or bfloat16; weight [C] float32. Returns shape and dtype of `x`.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);

namespace reference {
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);
}

}  // namespace faststar
