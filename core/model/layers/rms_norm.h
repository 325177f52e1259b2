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

/// Rotation of a row's pairs after the norm: cos and sin [L, C/2] float32, for rows [B, L, N, C]. Undefined: none.
struct PairRotation {
  Tensor cos;
  Tensor sin;
};

struct RmsNormGradients {
  Tensor x;
  Tensor weight;
};

/// True when the kernel takes rows like those of x [..., C]. Always false in a build without CUDA.
bool rms_norm_gradient_takes(const Tensor& x);

/// The gradients of rms_norm, or with a rotation of norm_rope, by our kernel. x and grad [..., C] of one dtype, weight
/// [C] float32; x and weight as kernel_operand returns them.
RmsNormGradients rms_norm_gradient(const Tensor& x, const Tensor& weight, double eps, const PairRotation& rotation,
                                   const Tensor& grad);

}  // namespace faststar
