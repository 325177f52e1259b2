#pragma once
#include "core/lab/train/parameter_set.h"

namespace faststar {

/// What one batch says about the weights.
struct BatchLoss {
  Tensor loss;        ///< scalar, differentiable
  Tensor statistics;  ///< [n] float32, detached: what the log shows
};

}  // namespace faststar
