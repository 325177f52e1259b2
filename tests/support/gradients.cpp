#include "support/gradients.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "support/support.h"

namespace faststar::test {

std::vector<Tensor> gradients_of(const DifferentiableOp& op, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) leaves.push_back(input.detach().clone().requires_grad_());
  const Tensor result = op(leaves);
  return torch::autograd::grad({result}, leaves,
                               {seeded_randn(result.sizes(), 99, result.device(), result.scalar_type())});
}

double gradient_error(const DifferentiableOp& op, const DifferentiableOp& reference,
                      const std::vector<Tensor>& inputs) {
  const auto own = gradients_of(op, inputs);
  const auto right = gradients_of(reference, inputs);
  double largest = 0;
  for (size_t i = 0; i < inputs.size(); ++i) largest = std::max(largest, relative_error(own[i], right[i]));
  return largest;
}

}  // namespace faststar::test
