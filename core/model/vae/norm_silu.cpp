#include "core/model/vae/norm_silu.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

constexpr double kMinNorm = 1e-12;

/// How many frames of x one latent frame covers.
int64_t frames_per_latent(int64_t frames, int64_t latents, bool at_start) {
  if (!at_start) return frames / latents;
  return latents > 1 ? (frames - 1) / (latents - 1) : 1;
}

void check_norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                     const Tensor& before) {
  TORCH_CHECK(x.dim() == 5 && x.numel() > 0 && gamma.dim() == 1 && gamma.size(0) == x.size(4) &&
                  gamma.scalar_type() == at::kFloat,
              "norm_silu: expected x [B, T, H, W, C] and gamma [C] float32, got ", x.sizes(), " and ", gamma.sizes());
  TORCH_CHECK(!before.defined() || (before.sizes() == at::IntArrayRef{x.size(0), 2, x.size(2), x.size(3), x.size(4)} &&
                                    before.dtype() == x.dtype()),
              "norm_silu: frames before x do not fit ", x.sizes());
  if (!modulation) return;
  const bool at_start = !before.defined();
  const Tensor &factor = modulation->factor, &offset = modulation->offset;
  TORCH_CHECK(factor.dim() == 5 && factor.sizes() == offset.sizes() && factor.size(0) == x.size(0) &&
                  factor.size(4) == x.size(4) && factor.dtype() == x.dtype() && offset.dtype() == x.dtype(),
              "norm_silu: factor and offset ", factor.sizes(), " do not fit x ", x.sizes());
  const int64_t latents = factor.size(1);
  const int64_t lone = at_start ? 1 : 0;
  TORCH_CHECK((latents - lone) * frames_per_latent(x.size(1), latents, at_start) + lone == x.size(1) &&
                  x.size(3) % factor.size(3) == 0 && x.size(2) == x.size(3) / factor.size(3) * factor.size(2),
              "norm_silu: latents ", factor.sizes(), " do not tile x ", x.sizes());
}

void check_addends(const DeferredSum& x) {
  TORCH_CHECK(!x.bias.defined() ||
                  (x.bias.dim() == 1 && x.bias.size(0) == x.output.size(4) && x.bias.dtype() == x.output.dtype()),
              "norm_silu: the bias does not fit ", x.output.sizes());
  TORCH_CHECK(
      !x.residual.defined() || (x.residual.sizes() == x.output.sizes() && x.residual.dtype() == x.output.dtype()),
      "norm_silu: the residual does not fit ", x.output.sizes());
}

/// x * factor + offset where every latent covers an equal block of frames and pixels.
Tensor modulate_blocks(const Tensor& x, const Tensor& factor, const Tensor& offset) {
  const int64_t B = x.size(0), C = x.size(4), n = factor.size(1), h = factor.size(2), w = factor.size(3);
  const auto spread = [&](const Tensor& latents) { return latents.reshape({B, n, 1, h, 1, w, 1, C}); };
  const Tensor blocks = x.reshape({B, n, x.size(1) / n, h, x.size(2) / h, w, x.size(3) / w, C});
  return at::addcmul(spread(offset), blocks, spread(factor)).reshape(x.sizes());
}

Tensor modulate(const Tensor& x, const Modulation& modulation, bool at_start) {
  const Tensor factor = modulation.factor.to(at::kFloat);
  const Tensor offset = modulation.offset.to(at::kFloat);
  const int64_t T = x.size(1), n = factor.size(1);
  if (!at_start || T == n) return modulate_blocks(x, factor, offset);
  const Tensor first = modulate_blocks(x.narrow(1, 0, 1), factor.narrow(1, 0, 1), offset.narrow(1, 0, 1));
  const Tensor rest = modulate_blocks(x.narrow(1, 1, T - 1), factor.narrow(1, 1, n - 1), offset.narrow(1, 1, n - 1));
  return at::cat({first, rest}, 1);
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A norm without latents has no squares of pixels of its own: its gradient kernel works in squares of this side.
constexpr int64_t kPlainSquare = 8;

const void* address(const Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; }

/// The operands as the kernels read them (aligned); undefined where the op has none.
struct Operands {
  static Operands aligned(const Tensor& x, const Tensor& gamma, const Tensor& factor, const Tensor& offset,
                          const Tensor& before) {
    return {kernel_operand(x), kernel_operand(gamma), kernel_operand(factor), kernel_operand(offset),
            kernel_operand(before)};
  }
  Tensor x, gamma, factor, offset, before;
};

cuda::Stream stream_of(const Operands& in) { return kernel_stream({in.x, in.gamma, in.factor, in.offset, in.before}); }

/// The op without its result.
cuda::NormSilu describe(const Operands& in, bool at_start) {
  cuda::NormSilu op{.x = in.x.const_data_ptr(),
                    .gamma = in.gamma.const_data_ptr<float>(),
                    .factor = address(in.factor),
                    .offset = address(in.offset),
                    .before = address(in.before),
                    .extended = nullptr,
                    .batch = in.x.size(0),
                    .frames = in.x.size(1),
                    .height = in.x.size(2),
                    .width = in.x.size(3),
                    .channels = in.x.size(4),
                    .latent_frames = in.x.size(1),
                    .latent_height = (in.x.size(2) + kPlainSquare - 1) / kPlainSquare,
                    .latent_width = (in.x.size(3) + kPlainSquare - 1) / kPlainSquare,
                    .frames_per_latent = 1,
                    .pixels_per_latent = kPlainSquare};
  if (in.factor.defined()) {
    op.latent_frames = in.factor.size(1);
    op.latent_height = in.factor.size(2);
    op.latent_width = in.factor.size(3);
    op.pixels_per_latent = op.width / op.latent_width;
    op.frames_per_latent = frames_per_latent(op.frames, op.latent_frames, at_start);
  }
  return op;
}

Tensor empty_extended(const Tensor& x) {
  return at::empty({x.size(0), 2 + x.size(1), x.size(2), x.size(3), x.size(4)}, x.options());
}

Tensor compute(const Operands& in) {
  const Tensor extended = empty_extended(in.x);
  cuda::NormSilu op = describe(in, !in.before.defined());
  op.extended = extended.mutable_data_ptr();
  cuda::norm_silu(op, float_type(in.x), stream_of(in));
  return extended;
}

NormedSum compute(const Operands& in, const DeferredSum& added, KeepSum keep) {
  const Tensor bias = kernel_operand(added.bias), residual = kernel_operand(added.residual);
  const NormedSum result{empty_extended(in.x), keep == KeepSum::yes ? at::empty_like(in.x) : Tensor()};
  cuda::NormSilu op = describe(in, !in.before.defined());
  op.extended = result.extended.mutable_data_ptr();
  op.bias = address(bias);
  op.residual = address(residual);
  if (result.sum.defined()) op.sum = result.sum.mutable_data_ptr();
  kernel_stream({in.x, bias, residual});  // all on one GPU
  cuda::norm_silu(op, float_type(in.x), stream_of(in));
  return result;
}

/// Gradients of x, gamma, factor, offset and before.
variable_list differentiate(const Operands& in, const Tensor& grad_out) {
  Operands gradients{.x = at::empty_like(in.x)};
  if (in.factor.defined()) {
    gradients.factor = at::empty_like(in.factor);
    gradients.offset = at::empty_like(in.offset);
  }
  if (in.before.defined()) gradients.before = grad_out.narrow(1, 0, 2);
  cuda::NormSiluGradient gradient{.op = describe(in, !in.before.defined()),
                                  .grad_out = grad_out.const_data_ptr(),
                                  .grad_x = gradients.x.mutable_data_ptr()};
  if (in.factor.defined()) {
    gradient.grad_factor = gradients.factor.mutable_data_ptr();
    gradient.grad_offset = gradients.offset.mutable_data_ptr();
  }
  const auto type = float_type(in.x);
  const int64_t blocks = cuda::norm_silu_gradient_blocks(gradient.op, type);
  const Tensor grad_gamma = at::empty({blocks, in.x.size(4)}, in.gamma.options());
  gradient.grad_gamma = grad_gamma.mutable_data_ptr<float>();
  cuda::norm_silu_gradient(gradient, type, stream_of(in));
  gradients.gamma = grad_gamma.sum(0);
  return {gradients.x, gradients.gamma, gradients.factor, gradients.offset, gradients.before};
}

struct NormSiluFunction : torch::autograd::Function<NormSiluFunction> {
  // Operands that may be missing are optional: autograd asks every other one for its device.
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& gamma,
                        const std::optional<Tensor>& factor, const std::optional<Tensor>& offset,
                        const std::optional<Tensor>& before) {
    const Operands in =
        Operands::aligned(x, gamma, factor.value_or(Tensor()), offset.value_or(Tensor()), before.value_or(Tensor()));
    context->save_for_backward({in.x, in.gamma, in.factor, in.offset, in.before});
    return compute(in);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grad_out) {
    const variable_list saved = context->get_saved_variables();
    return differentiate({saved[0], saved[1], saved[2], saved[3], saved[4]}, kernel_operand(grad_out[0]));
  }
};

bool kernel_takes(const Tensor& x) { return kernels_take(x) && cuda::norm_silu_takes(x.size(4), float_type(x)); }

}  // namespace

Tensor DeferredSum::total() const {
  if (!is_pending()) return output;
  if (!residual.defined()) return output + bias;
  if (!bias.defined()) return output + residual;
  return (output.to(at::kFloat) + bias + residual).to(output.dtype());
}

Tensor extend_in_time(const Tensor& x, const Tensor& before) {
  if (before.defined()) return at::cat({before, x}, 1);
  const Tensor first = x.narrow(1, 0, 1);
  return at::cat({first, first, x}, 1);
}

Tensor reference::norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                            const Tensor& before) {
  const Tensor wide = x.to(at::kFloat);
  const Tensor length = at::linalg_vector_norm(wide, 2, {-1}, /*keepdim=*/true).clamp_min(kMinNorm);
  const Tensor unit = wide * (std::sqrt(static_cast<double>(x.size(4))) / length) * gamma;
  const Tensor modulated = modulation ? modulate(unit, *modulation, !before.defined()) : unit;
  return extend_in_time(at::silu(modulated).to(x.dtype()), before);
}

Tensor norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                 const Tensor& before) {
  check_norm_silu(x, gamma, modulation, before);
  if (!kernel_takes(x)) return reference::norm_silu(x, gamma, modulation, before);
  const Tensor factor = modulation ? modulation->factor : Tensor();
  const Tensor offset = modulation ? modulation->offset : Tensor();
  if (needs_gradient({x, gamma, factor, offset, before})) {
    return NormSiluFunction::apply(x, gamma, std::optional(factor), std::optional(offset), std::optional(before));
  }
  return compute(Operands::aligned(x, gamma, factor, offset, before));
}

NormedSum norm_silu_of_sum(const DeferredSum& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                           const Tensor& before, KeepSum keep) {
  const Tensor factor = modulation ? modulation->factor : Tensor();
  const Tensor offset = modulation ? modulation->offset : Tensor();
  if (!x.is_pending() || !kernel_takes(x.output) ||
      needs_gradient({x.output, x.bias, x.residual, gamma, factor, offset, before})) {
    const Tensor sum = x.total();
    return {norm_silu(sum, gamma, modulation, before), keep == KeepSum::yes ? sum : Tensor()};
  }
  check_norm_silu(x.output, gamma, modulation, before);
  check_addends(x);
  return compute(Operands::aligned(x.output, gamma, factor, offset, before), x, keep);
}

}  // namespace faststar
