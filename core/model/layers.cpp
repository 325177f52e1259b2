#include "core/model/layers.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/device.h"
#include "core/base/profile.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor rms_norm_kernel(const Tensor& x, const Tensor& weight, double eps) {
  Tensor normed = at::empty_like(x);
  const int64_t width = x.size(-1);
  cuda::rms_norm(normed.data_ptr(), x.data_ptr(), weight.data_ptr<float>(), width == 0 ? 0 : x.numel() / width, width,
                 static_cast<float>(eps), float_type(x), kernel_stream({x, weight}));
  return normed;
}

/// Fills `rotated`, whose tokens are contiguous within a row.
Tensor norm_rope_kernel(const Tensor& x, const Tensor& weight, double eps, const Rope& rope, const Tensor& rotated) {
  cuda::norm_rope({.out = rotated.data_ptr(),
                   .x = x.data_ptr(),
                   .weight = weight.data_ptr<float>(),
                   .cos = rope.cos.data_ptr<float>(),
                   .sin = rope.sin.data_ptr<float>(),
                   .batch = x.size(0),
                   .tokens = x.size(1),
                   .heads = x.size(2),
                   .head_dim = x.size(3),
                   .out_batch_stride = rotated.stride(0),
                   .eps = static_cast<float>(eps)},
                  float_type(x), kernel_stream({x, weight, rope.cos, rope.sin}));
  return rotated;
}

/// True when norm_rope_kernel can write to `out` in place of a new tensor like x.
bool is_row_buffer(const Tensor& out, const Tensor& x) {
  return out.sizes() == x.sizes() && out.dtype() == x.dtype() && out.device() == x.device() &&
         out.strides().slice(1) == x.strides().slice(1);
}

/// The gradients of rms_norm and, with a rotation, of norm_rope; forward's tensors as kernel_operand returns them.
struct NormFunction : torch::autograd::Function<NormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, double eps, const Rope& rope) {
    context->save_for_backward({x, weight, rope.cos, rope.sin});
    context->saved_data["eps"] = eps;
    if (!rope.cos.defined()) return rms_norm_kernel(x, weight, eps);
    return norm_rope_kernel(x, weight, eps, rope, at::empty_like(x));
  }
  static variable_list backward(AutogradContext* context, const variable_list& grad) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &cos = saved[2], &sin = saved[3];
    const Tensor grad_out = kernel_operand(grad[0]);
    const int64_t width = x.size(-1);
    const bool rotated = cos.defined();
    const Tensor grad_x = at::empty_like(x);
    cuda::RmsNormGradient op{.x = x.const_data_ptr(),
                             .weight = weight.const_data_ptr<float>(),
                             .grad_out = grad_out.const_data_ptr(),
                             .grad_x = grad_x.mutable_data_ptr(),
                             .cos = rotated ? cos.const_data_ptr<float>() : nullptr,
                             .sin = rotated ? sin.const_data_ptr<float>() : nullptr,
                             .rows = x.numel() / width,
                             .width = width,
                             .positions = rotated ? x.size(1) : 1,
                             .rows_per_position = rotated ? x.size(2) : 1,
                             .eps = static_cast<float>(context->saved_data["eps"].toDouble())};
    const Tensor grad_weight = at::empty({cuda::rms_norm_gradient_blocks(op.rows), width}, weight.options());
    op.grad_weight = grad_weight.mutable_data_ptr<float>();
    cuda::rms_norm_gradient(op, float_type(x), kernel_stream({x, weight, grad_out, cos, sin}));
    return {grad_x, grad_weight.sum(0), Tensor(), Tensor()};
  }
};

/// True when the gradient's kernel takes the rows of x, which kernels_take.
bool norm_gradient_takes(const Tensor& x) {
  const int64_t width = x.size(-1);
  return width > 0 && width % 2 == 0 && width <= cuda::kMaxRmsNormGradientWidth;
}

Tensor swiglu_kernel(const Tensor& gate, const Tensor& up) {
  Tensor product = at::empty_like(gate);
  cuda::swiglu(product.data_ptr(), gate.data_ptr(), up.data_ptr(), gate.numel(), float_type(gate),
               kernel_stream({gate, up}));
  return product;
}

struct SwigluFunction : torch::autograd::Function<SwigluFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
    context->save_for_backward({gate, up});
    return swiglu_kernel(gate, up);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grad_out) {
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
               std::optional<at::ScalarType> asked)
    : weight(weights.get(prefix + ".weight", {out, in}, asked.value_or(weights.dtype()))), dtype(weight.scalar_type()) {
  if (has_bias == Bias::present) bias = weights.get(prefix + ".bias", {out}, dtype);
}

Linear::Linear(const Weights& weights, const std::string& prefix, int64_t in, int64_t out, Bias has_bias,
               LinearPrecision precision)
    : dtype(weights.dtype()) {
  const std::string name = prefix + ".weight";
  if (has_bias == Bias::present) bias = weights.get(prefix + ".bias", {out});
  if (precision == LinearPrecision::fp8 && weights.has(scale_name(name))) {  // a model that was converted to FP8
    fp8 = ScaledRows(weights.get(name, {out, in}, at::kFloat8_e4m3fn),
                     weights.get(scale_name(name), {out}, at::kFloat).unsqueeze(1));
    return;
  }
  weight = weights.get(name, {out, in});
  if (precision != LinearPrecision::backbone) fp8 = quantize_rows(weight);
  if (precision == LinearPrecision::fp8) weight = Tensor();
}

Tensor Linear::operator()(const ScaledRows& x) const {
  const ProfileRange range(PassPart::linear);
  const bool has_weight = weight.defined();
  if (!x.is_fp8() && has_weight) return at::linear(x.values.to(dtype), weight, bias);
  const Tensor product = fp8_product(x.is_fp8() ? x : quantize_rows(x.values), fp8.value(), dtype);
  return bias ? product + *bias : product;
}

int64_t count_layers(const Weights& weights, const std::string& prefix, const std::string& suffix) {
  int64_t count = 0;
  while (weights.has(prefix + std::to_string(count) + suffix)) ++count;
  return count;
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
    if (norm_gradient_takes(x)) return NormFunction::apply(kernel_operand(x), kernel_operand(weight), eps, Rope());
  }
  return reference::rms_norm(x, weight, eps);
}

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

Tensor norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope, const Tensor& out) {
  TORCH_CHECK(x.dim() == 4 && rope.cos.size(0) == x.size(1) && rope.cos.size(1) * 2 == x.size(3), "norm_rope: x ",
              x.sizes(), ", rope ", rope.cos.sizes());
  if (kernels_take(x) && x.is_contiguous() && x.size(3) <= cuda::kMaxNormRopeWidth) {
    const Tensor rows = kernel_operand(x), scale = kernel_operand(weight);
    const Rope rotation{rope.cos.contiguous(), rope.sin.contiguous()};
    const bool differentiated = needs_gradient({x, weight});
    if (!differentiated && !out.defined()) return norm_rope_kernel(rows, scale, eps, rotation, at::empty_like(rows));
    if (!differentiated && is_row_buffer(out, rows)) return norm_rope_kernel(rows, scale, eps, rotation, out);
    if (!out.defined() && norm_gradient_takes(x)) return NormFunction::apply(rows, scale, eps, rotation);
  }
  const Tensor rotated = reference::norm_rope(x, weight, eps, rope);
  return out.defined() ? out.copy_(rotated) : rotated;
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

ScaledRows rms_norm_fp8(const Tensor& x, const Tensor& weight, double eps) {
  const auto rounded = quantize_rows_by_kernel(x, {.norm_weight = weight, .norm_eps = eps});
  return rounded ? *rounded : quantize_rows(rms_norm(x, weight, eps));
}

ScaledRows swiglu_fp8(const Tensor& gate, const Tensor& up) {
  const auto rounded = quantize_rows_by_kernel(gate, {.up = up});
  return rounded ? *rounded : quantize_rows(swiglu(gate, up));
}

}  // namespace faststar
