#include "core/layers/rms_norm.h"

#include <ATen/ATen.h>

#include "core/device.h"
#include "cuda/kernels.h"

namespace faststar {

Tensor reference::rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  const Tensor wide = x.to(at::kFloat);
  const Tensor scale = wide.square().mean(-1, /*keepdim=*/true).add(eps).rsqrt();
  return (wide * scale * weight).to(x.dtype());
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  TORCH_CHECK(weight.dim() == 1 && weight.size(0) == x.size(-1) && weight.scalar_type() == at::kFloat, "rms_norm: x ",
              x.sizes(), ", weight ", weight.sizes(), " ", weight.dtype());
  if constexpr (kBuiltWithCuda) {
    if (use_kernels(x) && x.is_contiguous()) {
      Tensor normed = at::empty_like(x);
      const int64_t width = x.size(-1);
      cuda::rms_norm(normed.data_ptr(), x.data_ptr(), weight.data_ptr<float>(), width == 0 ? 0 : x.numel() / width,
                     width, static_cast<float>(eps), float_type(x), cuda::current_stream());
      return normed;
    }
  }
  return reference::rms_norm(x, weight, eps);
}

}  // namespace faststar
