#include "core/model/layers.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/device.h"
#include "core/base/profile.h"
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

Tensor swiglu_kernel(const Tensor& gate, const Tensor& up) {
  Tensor product = at::empty_like(gate);
  cuda::swiglu(product.data_ptr(), gate.data_ptr(), up.data_ptr(), gate.numel(), float_type(gate),
               kernel_stream({gate, up}));
  return product;
}

struct SwigluFunction : torch::autograd::Function<SwigluFunction> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& gate, const Tensor& up) {
    context->save_for_backward({gate, up});
    return swiglu_kernel(gate, up);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad_out) {
    const auto saved = context->get_saved_variables();
    const Tensor dense = grad_out[0].contiguous();
    const Tensor grad_gate = at::empty_like(saved[0]), grad_up = at::empty_like(saved[1]);
    cuda::swiglu_gradient({.gate = saved[0].const_data_ptr(),
                           .up = saved[1].const_data_ptr(),
                           .grad_out = dense.const_data_ptr(),
                           .grad_gate = grad_gate.mutable_data_ptr(),
                           .grad_up = grad_up.mutable_data_ptr(),
                           .elements = dense.numel()},
                          float_type(dense), kernel_stream({saved[0], saved[1], dense}));
    return {grad_gate, grad_up};
  }
};

}  // namespace

Linear::Linear(const Weights& weights, const std::string& prefix, int64_t in, int64_t out, Bias has_bias,
               at::ScalarType dtype)
    : weight(weights.get(prefix + ".weight", {out, in}, dtype)) {
  if (has_bias == Bias::present) bias = weights.get(prefix + ".bias", {out}, dtype);
}

Tensor Linear::operator()(const Tensor& x) const {
  const ProfileRange range(PassPart::linear);
  return at::linear(x.to(weight.scalar_type()), weight, bias);
}

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

Tensor reference::swiglu(const Tensor& gate, const Tensor& up) { return at::silu(gate) * up; }

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes() && gate.dtype() == up.dtype(), "swiglu: gate ", gate.sizes(), ", up ",
              up.sizes());
  if (kernels_take(gate) && gate.is_contiguous() && up.is_contiguous()) {
    return needs_gradient({gate, up}) ? SwigluFunction::apply(gate, up) : swiglu_kernel(gate, up);
  }
  return reference::swiglu(gate, up);
}

}  // namespace faststar
