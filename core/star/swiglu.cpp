#include "core/star/swiglu.h"

#include <ATen/ATen.h>

#include "core/device.h"
#include "cuda/kernels.h"

namespace faststar {

Tensor reference::swiglu(const Tensor& gate, const Tensor& up) { return at::silu(gate) * up; }

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes() && gate.dtype() == up.dtype(), "swiglu: gate ", gate.sizes(), ", up ",
              up.sizes());
  if constexpr (kBuiltWithCuda) {
    if (use_kernels(gate) && gate.is_contiguous() && up.is_contiguous()) {
      Tensor product = at::empty_like(gate);
      cuda::swiglu(product.data_ptr(), gate.data_ptr(), up.data_ptr(), gate.numel(), float_type(gate),
                   cuda::current_stream());
      return product;
    }
  }
  return reference::swiglu(gate, up);
}

}  // namespace faststar
