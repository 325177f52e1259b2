#include "core/lab/train/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

namespace faststar {
namespace {

constexpr double kEpsilon = 1e-8;
constexpr double kAverageStart = 20;  // steps: a young average follows the weights closely

/// One part of the vector, with its own weight decay.
struct Part {
  int64_t start;
  int64_t length;
  double weight_decay;
};

}  // namespace

OptimizerState initial_state(const Tensor& weights) {
  return {.weights = weights.detach().clone().requires_grad_(),
          .average = weights.detach().clone(),
          .first_moment = at::zeros_like(weights),
          .second_moment = at::zeros_like(weights)};
}

Tensor Optimizer::update(OptimizerState& state, const Tensor& gradient, double learning_rate,
                         int64_t steps_done) const {
  const c10::NoGradGuard no_grad;
  const Tensor norm = gradient.norm();
  gradient.mul_((settings_.longest_gradient / (norm + 1e-6)).clamp_max(1.0));
  const Tensor weights = state.weights.detach();
  const int64_t N = weights.size(0);
  for (const Part& part : {Part{0, decayed_, settings_.weight_decay}, Part{decayed_, N - decayed_, 0}}) {
    if (part.length == 0) continue;
    const auto slice = [&](const Tensor& vector) { return vector.narrow(0, part.start, part.length); };
    const Tensor step = at::full({}, static_cast<double>(state.updates + 1), weights.options());
    at::_fused_adamw_(slice(weights), slice(gradient), slice(state.first_moment), slice(state.second_moment),
                      /*max_exp_avg_sqs=*/{}, step, learning_rate, settings_.beta1, settings_.beta2, part.weight_decay,
                      kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
  }
  ++state.updates;
  const auto averaged = static_cast<double>(steps_done + 1);
  const double decay = std::min(settings_.average_decay, averaged / (averaged + kAverageStart));
  state.average.lerp_(weights, 1 - decay);
  return norm;
}

}  // namespace faststar
