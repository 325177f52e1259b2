#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// silu(gate) * up, element by element; in bfloat16 silu's result is rounded first, as the official code does.
/// gate, up: equal shapes, float32 or bfloat16. Source: SwiGLU MLP of infinity/models/basic.py.
Tensor swiglu(const Tensor& gate, const Tensor& up);

namespace reference {
Tensor swiglu(const Tensor& gate, const Tensor& up);
}

}  // namespace faststar
