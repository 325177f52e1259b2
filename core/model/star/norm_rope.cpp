#include "core/model/star/norm_rope.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/device.h"
#include "core/model/layers/rms_norm.h"
#include "core/model/layers/rms_norm_gradient.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

Tensor run_kernel(const Tensor& x, const Tensor& weight, double eps, const Tensor& cos, const Tensor& sin) {
  Tensor rotated = at::empty_like(x);
  cuda::norm_rope({.out = rotated.data_ptr(),
                   .x = x.data_ptr(),
                   .weight = weight.data_ptr<float>(),
                   .cos = cos.data_ptr<float>(),
                   .sin = sin.data_ptr<float>(),
                   .batch = x.size(0),
                   .tokens = x.size(1),
                   .heads = x.size(2),
                   .head_dim = x.size(3),
                   .eps = static_cast<float>(eps)},
                  float_type(x), kernel_stream({x, weight, cos, sin}));
  return rotated;
}

struct NormRopeFunction : torch::autograd::Function<NormRopeFunction> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& weight, double eps,
                        const Tensor& cos, const Tensor& sin) {
    context->save_for_backward({x, weight, cos, sin});
    context->saved_data["eps"] = eps;
    return run_kernel(x, weight, eps, cos, sin);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad_out) {
    const auto saved = context->get_saved_variables();
    const RmsNormGradients gradients =
        rms_norm_gradient(saved[0], saved[1], context->saved_data["eps"].toDouble(), {saved[2], saved[3]}, grad_out[0]);
    return {gradients.x, gradients.weight, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor reference::norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope) {
  const auto dtype = x.scalar_type();
  const Tensor normed = reference::rms_norm(x, weight, eps);
  const Tensor pairs = normed.unflatten(-1, {x.size(-1) / 2, 2}).to(at::kFloat);
  const Tensor even = pairs.select(-1, 0);  // [B, L, N, D/2]
  const Tensor odd = pairs.select(-1, 1);
  const Tensor cos = rope.cos.unsqueeze(1);  // [L, 1, D/2]
  const Tensor sin = rope.sin.unsqueeze(1);
  const auto rounded = [&](const Tensor& t) { return t.to(dtype).to(at::kFloat); };
  const Tensor rotated = at::stack({rounded(even * cos) - odd * sin, rounded(odd * cos) + even * sin}, -1);
  return rotated.flatten(-2).to(dtype);
}

Tensor norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope) {
  TORCH_CHECK(x.dim() == 4 && rope.cos.size(0) == x.size(1) && rope.cos.size(1) * 2 == x.size(3), "norm_rope: x ",
              x.sizes(), ", rope ", rope.cos.sizes());
  if (kernels_take(x) && x.is_contiguous() && x.size(3) <= cuda::kMaxNormRopeWidth) {
    const Tensor rows = kernel_operand(x), scale = kernel_operand(weight);
    const Tensor cos = rope.cos.contiguous(), sin = rope.sin.contiguous();
    if (!needs_gradient({x, weight})) return run_kernel(rows, scale, eps, cos, sin);
    if (rms_norm_gradient_takes(x)) return NormRopeFunction::apply(rows, scale, eps, cos, sin);
  }
  return reference::norm_rope(x, weight, eps, rope);
}

}  // namespace faststar
