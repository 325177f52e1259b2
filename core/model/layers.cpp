#include "core/model/layers.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/device.h"
#include "core/base/profile.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// x, branch and weight as kernels read them. branch and sum: undefined, or as x.
Tensor rms_norm_kernel(const Tensor& x, const Tensor& weight, double eps, const Tensor& branch = {},
                       const Tensor& sum = {}) {
  Tensor normed = at::empty_like(x);
  const int64_t width = x.size(-1);
  cuda::rms_norm({.out = normed.mutable_data_ptr(),
                  .x = x.const_data_ptr(),
                  .weight = weight.const_data_ptr<float>(),
                  .branch = branch.defined() ? branch.const_data_ptr() : nullptr,
                  .sum = sum.defined() ? sum.mutable_data_ptr() : nullptr,
                  .rows = width == 0 ? 0 : x.numel() / width,
                  .width = width,
                  .eps = static_cast<float>(eps)},
                 float_type(x), kernel_stream({x, weight, branch, sum}));
  return normed;
}

/// qkv [B, L, heads + 2 kv_heads, D], weights and rope as kernels read them. k and v have rows of contiguous tokens.
void split_qkv_kernel(const Tensor& qkv, const HeadNorms& norms, const Rope& rope, const QkvHeads& heads) {
  const auto& [k, v] = heads.kv;
  cuda::split_qkv({.q = heads.q.mutable_data_ptr(),
                   .k = k.defined() ? k.mutable_data_ptr() : nullptr,
                   .v = v.defined() ? v.mutable_data_ptr() : nullptr,
                   .x = qkv.const_data_ptr(),
                   .q_weight = norms.q.const_data_ptr<float>(),
                   .k_weight = k.defined() ? norms.k.const_data_ptr<float>() : nullptr,
                   .cos = rope.cos.const_data_ptr<float>(),
                   .sin = rope.sin.const_data_ptr<float>(),
                   .batch = qkv.size(0),
                   .tokens = qkv.size(1),
                   .q_heads = heads.q.size(2),
                   .kv_heads = k.defined() ? k.size(2) : 0,
                   .head_dim = qkv.size(3),
                   .kv_batch_stride = k.defined() ? k.stride(0) : 0,
                   .eps = static_cast<float>(norms.eps)},
                  float_type(qkv), kernel_stream({qkv, heads.q, norms.q, norms.k, rope.cos, rope.sin}));
}

/// norm_rope is its case without keys and values.
Tensor norm_rope_kernel(const Tensor& x, const Tensor& weight, double eps, const Rope& rope) {
  const Tensor rotated = at::empty_like(x);
  split_qkv_kernel(x, {weight, {}, eps}, rope, {rotated, {}});
  return rotated;
}

/// True when split_qkv_kernel can write keys and values like `of` there.
bool is_row_buffer(const LayerKv& place, const Tensor& of) {
  const auto fits = [&](const Tensor& out) {
    return out.sizes() == of.sizes() && out.dtype() == of.dtype() && out.device() == of.device() &&
           out.select(0, 0).is_contiguous() && out.stride(0) % 2 == 0;
  };
  return fits(place.k) && fits(place.v) && place.k.stride(0) == place.v.stride(0);
}

/// The gradients of rms_norm and, with a rotation, of norm_rope; forward's tensors as kernel_operand returns them.
struct NormFunction : torch::autograd::Function<NormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, double eps, const Rope& rope) {
    context->save_for_backward({x, weight, rope.cos, rope.sin});
    context->saved_data["eps"] = eps;
    if (!rope.cos.defined()) return rms_norm_kernel(x, weight, eps);
    return norm_rope_kernel(x, weight, eps, rope);
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

/// The sizes of half of gate_up.
std::vector<int64_t> half_sizes(const Tensor& gate_up) {
  auto sizes = gate_up.sizes().vec();
  sizes.back() /= 2;
  return sizes;
}

Tensor swiglu_kernel(const Tensor& gate_up) {
  Tensor product = at::empty(half_sizes(gate_up), gate_up.options());
  const int64_t width = product.size(-1);
  cuda::swiglu(product.mutable_data_ptr(), gate_up.const_data_ptr(), width == 0 ? 0 : product.numel() / width, width,
               float_type(gate_up), kernel_stream({gate_up}));
  return product;
}

struct SwigluFunction : torch::autograd::Function<SwigluFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& gate_up) {
    context->save_for_backward({gate_up});
    return swiglu_kernel(gate_up);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grad) {
    const Tensor gate_up = context->get_saved_variables().front();
    const Tensor grad_out = grad[0].contiguous();
    const Tensor grad_gate_up = at::empty_like(gate_up);
    const int64_t width = grad_out.size(-1);
    cuda::swiglu_gradient({.gate_up = gate_up.const_data_ptr(),
                           .grad_out = grad_out.const_data_ptr(),
                           .grad_gate_up = grad_gate_up.mutable_data_ptr(),
                           .rows = width == 0 ? 0 : grad_out.numel() / width,
                           .width = width},
                          float_type(gate_up), kernel_stream({gate_up, grad_out}));
    return {grad_gate_up};
  }
};

/// True when a kernel adds them: alike, and nothing is differentiated.
bool adds_in_kernel(const Tensor& x, const Tensor& branch) {
  return use_kernels(x) && !needs_gradient({branch}) && x.is_contiguous() && branch.is_contiguous() &&
         x.sizes() == branch.sizes() && x.dtype() == branch.dtype();
}

}  // namespace

Linear::Linear(const Weights& weights, const std::string& prefix, int64_t in, int64_t out, Bias has_bias,
               std::optional<at::ScalarType> asked)
    : weight(weights.get(prefix + ".weight", {out, in}, asked.value_or(weights.dtype()))), dtype(weight.scalar_type()) {
  if (has_bias == Bias::present) bias = weights.get(prefix + ".bias", {out}, dtype);
}

Linear::Linear(const Weights& weights, const std::string& prefix, const FusedLayers& layers, int64_t in, Bias has_bias,
               LinearPrecision precision)
    : dtype(weights.dtype()) {
  const std::string before = prefix + ".";
  const auto get = [&](const std::string& after, at::IntArrayRef row_shape, at::ScalarType as) {
    return weights.get_fused(layers, before, after, row_shape, as);
  };
  if (has_bias == Bias::present) bias = get(".bias", {}, dtype);
  const bool is_rounded = weights.has(before + layers.parts.front().first + scale_name(".weight"));
  if (precision == LinearPrecision::fp8 && is_rounded) {  // a model that was converted to FP8
    fp8 = ScaledRows(get(".weight", {in}, at::kFloat8_e4m3fn), get(scale_name(".weight"), {}, at::kFloat).unsqueeze(1));
    return;
  }
  weight = get(".weight", {in}, dtype);
  if (precision != LinearPrecision::backbone) fp8 = quantize_rows(weight);
  if (precision == LinearPrecision::fp8) weight = Tensor();
}

Tensor Linear::operator()(const ScaledRows& x) const {
  const ProfileRange range(PassPart::linear);
  const bool has_weight = weight.defined();
  if (!x.is_fp8() && has_weight) return linear_product(x.values.to(dtype), weight, bias);
  const Tensor product = fp8_product(x.is_fp8() ? x : quantize_rows(x.values), fp8.value(), dtype);
  return bias ? product + *bias : product;
}

bool multiplies_with_onednn(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 && current_kernels() == Kernels::automatic &&
         at::globalContext().hasMKLDNN();
}

Tensor linear_product(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
  if (!multiplies_with_onednn(x) || needs_gradient({x, weight, bias.value_or(Tensor())})) {
    return at::linear(x, weight, bias);
  }
  using Scalars = c10::List<std::optional<at::Scalar>>;
  static const auto product = c10::Dispatcher::singleton()
                                  .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                                  .typed<Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&,
                                                std::string_view, Scalars, std::optional<std::string_view>)>();
  return product.call(x, weight, bias, "none", Scalars(), std::nullopt);
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

SumAndNorm add_rms_norm(const Tensor& x, const Tensor& branch, const Tensor& weight, double eps) {
  if (!branch.defined()) return {x, rms_norm(x, weight, eps)};
  if (adds_in_kernel(x, branch)) {
    const Tensor sum = at::empty_like(x);
    return {sum, rms_norm_kernel(x, weight.contiguous(), eps, branch, sum)};
  }
  const Tensor sum = x + branch;
  return {sum, rms_norm(sum, weight, eps)};
}

SumAndNorm add_rms_norm_fp8(const Tensor& x, const Tensor& branch, const Tensor& weight, double eps) {
  BeforeRounding before{.norm_weight = weight, .norm_eps = eps};
  if (branch.defined() && adds_in_kernel(x, branch)) {
    before.branch = branch;
    before.sum = at::empty_like(x);
    if (const auto rounded = quantize_rows_by_kernel(x, before)) return {before.sum, *rounded};
    before.branch = before.sum = Tensor();
  }
  const Tensor sum = branch.defined() ? x + branch : x;
  const auto rounded = quantize_rows_by_kernel(sum, before);
  return {sum, rounded ? *rounded : quantize_rows(rms_norm(sum, weight, eps))};
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

Tensor norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope) {
  TORCH_CHECK(x.dim() == 4 && rope.cos.size(0) == x.size(1) && rope.cos.size(1) * 2 == x.size(3), "norm_rope: x ",
              x.sizes(), ", rope ", rope.cos.sizes());
  if (kernels_take(x) && x.size(3) <= cuda::kMaxSplitQkvWidth) {
    const Tensor rows = kernel_operand(x), scale = kernel_operand(weight);
    const Rope rotation{rope.cos.contiguous(), rope.sin.contiguous()};
    if (!needs_gradient({x, weight})) return norm_rope_kernel(rows, scale, eps, rotation);
    if (norm_gradient_takes(x)) return NormFunction::apply(rows, scale, eps, rotation);
  }
  return reference::norm_rope(x, weight, eps, rope);
}

namespace {

/// Queries, keys and values as they lie in qkv [B, L, heads + 2 kv_heads, D].
QkvHeads parts_of_qkv(const Tensor& qkv, int64_t kv_heads) {
  const int64_t heads = qkv.size(2) - 2 * kv_heads;
  return {qkv.narrow(2, 0, heads), {qkv.narrow(2, heads, kv_heads), qkv.narrow(2, heads + kv_heads, kv_heads)}};
}

}  // namespace

QkvHeads reference::split_qkv(const Tensor& qkv, int64_t kv_heads, const HeadNorms& norms, const Rope& rope) {
  const auto [q, kv] = parts_of_qkv(qkv.unflatten(-1, {-1, norms.q.size(0)}), kv_heads);
  return {reference::norm_rope(q, norms.q, norms.eps, rope),
          {reference::norm_rope(kv.k, norms.k, norms.eps, rope), kv.v}};
}

QkvHeads split_qkv(const Tensor& qkv, int64_t kv_heads, const HeadNorms& norms, const Rope& rope,
                   const LayerKv& place) {
  const Tensor heads = qkv.unflatten(-1, {qkv.size(-1) / norms.q.size(0), norms.q.size(0)});
  const auto [q, kv] = parts_of_qkv(heads, kv_heads);
  const bool fits = !place.k.defined() || is_row_buffer(place, kv.k);
  if (use_kernels(qkv) && fits && !needs_gradient({norms.q, norms.k}) && q.size(3) <= cuda::kMaxSplitQkvWidth) {
    const auto like = [](const Tensor& part) { return at::empty(part.sizes(), part.options()); };
    const QkvHeads split{like(q), place.k.defined() ? place : LayerKv{like(kv.k), like(kv.v)}};
    split_qkv_kernel(kernel_operand(heads), {kernel_operand(norms.q), kernel_operand(norms.k), norms.eps},
                     {rope.cos.contiguous(), rope.sin.contiguous()}, split);
    return split;
  }
  const QkvHeads split{norm_rope(q, norms.q, norms.eps, rope), {norm_rope(kv.k, norms.k, norms.eps, rope), kv.v}};
  if (!place.k.defined()) return split;
  return {split.q, {place.k.copy_(split.kv.k), place.v.copy_(split.kv.v)}};
}

Tensor reference::swiglu(const Tensor& gate_up) {
  const int64_t width = gate_up.size(-1) / 2;
  return at::silu(gate_up.narrow(-1, 0, width)) * gate_up.narrow(-1, width, width);
}

Tensor swiglu(const Tensor& gate_up) {
  TORCH_CHECK(gate_up.size(-1) % 2 == 0, "swiglu: gate_up ", gate_up.sizes());
  if (!kernels_take(gate_up)) return reference::swiglu(gate_up);
  const Tensor rows = kernel_operand(gate_up);
  return needs_gradient({gate_up}) ? SwigluFunction::apply(rows) : swiglu_kernel(rows);
}

ScaledRows swiglu_fp8(const Tensor& gate_up) {
  const auto rounded = quantize_rows_by_kernel(gate_up, {.gated = true});
  return rounded ? *rounded : quantize_rows(swiglu(gate_up));
}

}  // namespace faststar
