#include "core/model/layers/rms_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

Tensor rms_norm_kernel(const Tensor& x, const Tensor& weight, double eps) {
  Tensor normed = at::empty_like(x);
  const int64_t width = x.size(-1);
  cuda::rms_norm(normed.data_ptr(), x.data_ptr(), weight.data_ptr<float>(), width == 0 ? 0 : x.numel() / width, width,
                 static_cast<float>(eps), float_type(x), kernel_stream({x, weight}));
  return normed;
}

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& weight, double eps) {
    context->save_for_backward({x, weight});
    context->saved_data["eps"] = eps;
    return rms_norm_kernel(x, weight, eps);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad_out) {
    const auto saved = context->get_saved_variables();
    const RmsNormGradients gradients =
        rms_norm_gradient(saved[0], saved[1], context->saved_data["eps"].toDouble(), {}, grad_out[0]);
    return {gradients.x, gradients.weight, Tensor()};
  }
};

}  // namespace

Tensor reference::rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  const Tensor wide = x.to(at::kFloat);
  const Tensor scale = wide.square().mean(-1, /*keepdim=*/true).add(eps).rsqrt();
  return (wide * scale * weight).to(x.dtype());
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  TORCH_CHECK(weight.dim() == 1 && weight.size(0) == x.size(-1) && weight.scalar_type() == at::kFloat, "rms_norm: x ",
              x.sizes(), ", weight ", weight.sizes(), " ", weight.dtype());
  if (kernels_take(x) && x.is_contiguous()) {
    if (!needs_gradient({x, weight})) return rms_norm_kernel(x, weight.contiguous(), eps);
    if (rms_norm_gradient_takes(x)) return RmsNormFunction::apply(kernel_operand(x), kernel_operand(weight), eps);
  }
  return reference::rms_norm(x, weight, eps);
}

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
