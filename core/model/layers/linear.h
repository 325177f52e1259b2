#pragma once
#include <optional>

#include "core/base/weights/weights.h"

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

}  // namespace faststar
