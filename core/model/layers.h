#pragma once
#include <optional>

#include "core/base/weights/weights.h"

/// What the layers of the transformer and of T5 share.
namespace faststar {

/// y = x W^T + b, as torch.nn.Linear: `<prefix>.weight` [out, in] and, when asked for, `<prefix>.bias` [out].
struct Linear {
  enum class Bias { absent, present };

  Linear(const Weights& weights, const std::string& prefix, int64_t in, int64_t out, Bias has_bias)
      : Linear(weights, prefix, in, out, has_bias, weights.dtype()) {}
  /// For a layer whose dtype differs from its surroundings (the fp32 heads of a bf16 backbone).
  Linear(const Weights& weights, const std::string& prefix, int64_t in, int64_t out, Bias has_bias,
         at::ScalarType dtype);
  /// x [..., in] -> [..., out] in the weight's dtype; a wider x (a float32 residual stream) is rounded to it.
  Tensor operator()(const Tensor& x) const;

  Tensor weight;               // [out, in]
  std::optional<Tensor> bias;  // [out]
};

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in float32 and rounded once to the
/// dtype of `x` (T5LayerNorm, Qwen's RMSNorm: infinity/models/basic.py).
/// x [..., C] float32 or bfloat16; weight [C] float32. Returns shape and dtype of `x`.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);

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

/// silu(gate) * up, element by element; in bfloat16 silu's result is rounded first, as the official code does.
/// gate, up: equal shapes, float32 or bfloat16. Source: SwiGLU MLP of infinity/models/basic.py.
Tensor swiglu(const Tensor& gate, const Tensor& up);

namespace reference {
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);
Tensor swiglu(const Tensor& gate, const Tensor& up);
}  // namespace reference

}  // namespace faststar
