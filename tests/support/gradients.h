#pragma once
#include <functional>
#include <vector>

#include "core/base/tensor.h"

namespace faststar::test {

/// An op as a function of the tensors that it can be differentiated by.
using DifferentiableOp = std::function<Tensor(const std::vector<Tensor>&)>;

/// Gradients of the op with respect to each input, for a seeded gradient of its result.
std::vector<Tensor> gradients_of(const DifferentiableOp& op, const std::vector<Tensor>& inputs);

/// The largest relative error among the gradients of `op`, those of `reference` being right.
double gradient_error(const DifferentiableOp& op, const DifferentiableOp& reference, const std::vector<Tensor>& inputs);

}  // namespace faststar::test
