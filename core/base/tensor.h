#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace faststar {

using at::Tensor;

/// "[2, 3, 4]": a shape as messages print it.
std::string shape_text(at::IntArrayRef shape);

/// "float32", "bfloat16": a dtype as messages and files print it.
std::string dtype_text(at::ScalarType dtype);

}  // namespace faststar
