#include "core/model/vae/norm_silu_kernel.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Side of the squares that a plain norm's gradient shares out, in pixels.
constexpr int64_t kPlainSquare = 8;

const void* address(const Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; }

/// The operands, as the kernels want them: undefined where the op has none.
struct Operands {
  Tensor x, gamma, factor, offset, before;
};

cuda::Stream stream_of(const Operands& of) { return kernel_stream({of.x, of.gamma, of.factor, of.offset, of.before}); }

/// The op but for its result.
cuda::NormSilu describe(const Operands& of, bool at_start) {
  cuda::NormSilu op{.x = of.x.const_data_ptr(),
                    .gamma = of.gamma.const_data_ptr<float>(),
                    .factor = address(of.factor),
                    .offset = address(of.offset),
                    .before = address(of.before),
                    .extended = nullptr,
                    .batch = of.x.size(0),
                    .frames = of.x.size(1),
                    .height = of.x.size(2),
                    .width = of.x.size(3),
                    .channels = of.x.size(4),
                    .latent_frames = of.x.size(1),
                    .latent_height = (of.x.size(2) + kPlainSquare - 1) / kPlainSquare,
                    .latent_width = (of.x.size(3) + kPlainSquare - 1) / kPlainSquare,
                    .frames_per_latent = 1,
                    .pixels_per_latent = kPlainSquare};
  if (of.factor.defined()) {
    op.latent_frames = of.factor.size(1);
    op.latent_height = of.factor.size(2);
    op.latent_width = of.factor.size(3);
    op.pixels_per_latent = op.width / op.latent_width;
    op.frames_per_latent = frames_per_latent(op.frames, op.latent_frames, at_start);
  }
  return op;
}

Tensor compute(const Operands& of) {
  const Tensor& x = of.x;
  const Tensor extended = at::empty({x.size(0), 2 + x.size(1), x.size(2), x.size(3), x.size(4)}, x.options());
  cuda::NormSilu op = describe(of, !of.before.defined());
  op.extended = extended.mutable_data_ptr();
  cuda::norm_silu(op, float_type(x), stream_of(of));
  return extended;
}

/// Gradients of x, gamma, factor, offset and before.
variable_list differentiate(const Operands& of, const Tensor& grad_out) {
  Operands gradients{.x = at::empty_like(of.x)};
  if (of.factor.defined()) {
    gradients.factor = at::empty_like(of.factor);
    gradients.offset = at::empty_like(of.offset);
  }
  if (of.before.defined()) gradients.before = grad_out.narrow(1, 0, 2);
  cuda::NormSiluGradient gradient{.op = describe(of, !of.before.defined()),
                                  .grad_out = grad_out.const_data_ptr(),
                                  .grad_x = gradients.x.mutable_data_ptr()};
  if (of.factor.defined()) {
    gradient.grad_factor = gradients.factor.mutable_data_ptr();
    gradient.grad_offset = gradients.offset.mutable_data_ptr();
  }
  const auto type = float_type(of.x);
  const int64_t blocks = cuda::norm_silu_gradient_blocks(gradient.op, type);
  const Tensor grad_gamma = at::empty({blocks, of.x.size(4)}, of.gamma.options());
  gradient.grad_gamma = grad_gamma.mutable_data_ptr<float>();
  cuda::norm_silu_gradient(gradient, type, stream_of(of));
  gradients.gamma = grad_gamma.sum(0);
  return {gradients.x, gradients.gamma, gradients.factor, gradients.offset, gradients.before};
}

struct NormSiluFunction : torch::autograd::Function<NormSiluFunction> {
  // Operands that may be missing are optional: of any other, autograd wants to know the device.
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& gamma,
                        const std::optional<Tensor>& factor, const std::optional<Tensor>& offset,
                        const std::optional<Tensor>& before) {
    const Operands of{kernel_operand(x), kernel_operand(gamma), kernel_operand(factor.value_or(Tensor())),
                      kernel_operand(offset.value_or(Tensor())), kernel_operand(before.value_or(Tensor()))};
    context->save_for_backward({of.x, of.gamma, of.factor, of.offset, of.before});
    return compute(of);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grad_out) {
    const variable_list saved = context->get_saved_variables();
    return differentiate({saved[0], saved[1], saved[2], saved[3], saved[4]}, kernel_operand(grad_out[0]));
  }
};

}  // namespace

int64_t frames_per_latent(int64_t frames, int64_t latents, bool at_start) {
  if (!at_start) return frames / latents;
  return latents > 1 ? (frames - 1) / (latents - 1) : 1;
}

bool norm_silu_kernel_takes(const Tensor& x) {
  return kernels_take(x) && cuda::norm_silu_takes(x.size(4), float_type(x));
}

Tensor norm_silu_kernel(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                        const Tensor& before) {
  const Tensor factor = modulation ? modulation->factor : Tensor();
  const Tensor offset = modulation ? modulation->offset : Tensor();
  if (needs_gradient({x, gamma, factor, offset, before})) {
    return NormSiluFunction::apply(x, gamma, std::optional(factor), std::optional(offset), std::optional(before));
  }
  return compute({kernel_operand(x), kernel_operand(gamma), kernel_operand(factor), kernel_operand(offset),
                  kernel_operand(before)});
}

}  // namespace faststar
