#include "core/model/layers/linear.h"

#include <ATen/ATen.h>

#include "core/base/profile.h"

namespace faststar {

Linear::Linear(const Weights& weights, const std::string& prefix, int64_t in, int64_t out, Bias has_bias,
               at::ScalarType dtype)
    : weight(weights.get(prefix + ".weight", {out, in}, dtype)) {
  if (has_bias == Bias::present) bias = weights.get(prefix + ".bias", {out}, dtype);
}

Tensor Linear::operator()(const Tensor& x) const {
  const ProfileRange range(PassPart::linear);
  return at::linear(x.to(weight.scalar_type()), weight, bias);
}

}  // namespace faststar
