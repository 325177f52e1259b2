#include "core/model/layers/rms_norm_gradient.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {

bool rms_norm_gradient_takes(const Tensor& x) {
  const int64_t width = x.size(-1);
  return kernels_take(x) && width > 0 && width % 2 == 0 && width <= cuda::kMaxRmsNormGradientWidth;
}

RmsNormGradients rms_norm_gradient(const Tensor& x, const Tensor& weight, double eps, const PairRotation& rotation,
                                   const Tensor& grad) {
  const Tensor grad_out = kernel_operand(grad);
  const int64_t width = x.size(-1);
  const bool rotated = rotation.cos.defined();
  cuda::RmsNormGradient op{.x = x.const_data_ptr(),
                           .weight = weight.const_data_ptr<float>(),
                           .grad_out = grad_out.const_data_ptr(),
                           .cos = rotated ? rotation.cos.const_data_ptr<float>() : nullptr,
                           .sin = rotated ? rotation.sin.const_data_ptr<float>() : nullptr,
                           .rows = x.numel() / width,
                           .width = width,
                           .positions = rotated ? x.size(1) : 1,
                           .rows_per_position = rotated ? x.size(2) : 1,
                           .eps = static_cast<float>(eps)};
  RmsNormGradients gradients{at::empty_like(x), {}};
  op.grad_x = gradients.x.mutable_data_ptr();
  const Tensor grad_weight = at::empty({cuda::rms_norm_gradient_blocks(op.rows), width}, weight.options());
  op.grad_weight = grad_weight.mutable_data_ptr<float>();
  cuda::rms_norm_gradient(op, float_type(x), kernel_stream({x, weight, grad_out, rotation.cos, rotation.sin}));
  gradients.weight = grad_weight.sum(0);
  return gradients;
}

}  // namespace faststar
