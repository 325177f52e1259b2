#pragma once
#include "core/lab/train/parameter_set.h"

namespace faststar {

struct OptimizerSettings {
  double beta1 = 0.9;
  double beta2 = 0.97;
  double weight_decay = 0;       ///< of the layout's decayed part, as in AdamW
  double longest_gradient = 1;   ///< a longer gradient is scaled down to this norm
  double average_decay = 0.999;  ///< of the moving average, once it has seen enough steps
};

/// The vectors that training changes.
struct OptimizerState {
  Tensor weights;        ///< [N] float32, requires grad
  Tensor average;        ///< [N] float32: exponential moving average of the weights, what is used and exported
  Tensor first_moment;   ///< [N] float32
  Tensor second_moment;  ///< [N] float32
  int64_t updates = 0;   ///< since the moments were zero
};

/// A state that starts from `weights` [N].
OptimizerState initial_state(const Tensor& weights);

/// Adam with decoupled weight decay (LibTorch's fused kernel), gradient clipping and the average of the weights.
class Optimizer {
 public:
  Optimizer(const ParameterLayout& layout, const OptimizerSettings& settings)
      : decayed_(layout.decayed_size()), settings_(settings) {}

  /// One update of `state` by `gradient` [N], which is scaled in place; `steps_done` counts the averaged steps.
  /// Returns the gradient's norm before clipping, a scalar on the device.
  Tensor update(OptimizerState& state, const Tensor& gradient, double learning_rate, int64_t steps_done) const;

 private:
  int64_t decayed_;
  OptimizerSettings settings_;
};

}  // namespace faststar
