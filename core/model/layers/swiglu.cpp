#include "core/model/layers/swiglu.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

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
