#include "core/layers/rms_norm.h"

#include <ATen/ATen.h>

namespace faststar {

Tensor reference::rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  const Tensor wide = x.to(at::kFloat);
  const Tensor scale = wide.square().mean(-1, /*keepdim=*/true).add(eps).rsqrt();
  return (wide * scale * weight.to(at::kFloat)).to(x.dtype());
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) { return reference::rms_norm(x, weight, eps); }

}  // namespace faststar
