#pragma once
#include <functional>
#include <memory>

#include "core/lab/train/objective.h"
#include "core/lab/train/parameter_set.h"

namespace faststar {

namespace cuda {
class GraphPool;
}  // namespace cuda

/// Launched operation by operation, or recorded once and replayed (on a GPU; `eager` is for debugging there).
enum class Execution { eager, graph };

/// What steps of one network share.
struct StepContext {
  const ParameterLayout& layout;
  Tensor weights;                        ///< [N] float32 leaf, changed in place between steps
  Tensor gradient;                       ///< [N] float32, written by every step
  at::ScalarType lower = at::kBFloat16;  ///< BoundParameters
  Execution execution = Execution::eager;
  std::shared_ptr<cuda::GraphPool> pool;  ///< undefined for eager execution
};

/// A context for training `weights`; makes the gradient and, for graphs, the pool.
StepContext make_step_context(const ParameterLayout& layout, const Tensor& weights, at::ScalarType lower,
                              Execution execution);

/// Forward and backward of one objective with fixed shapes.
class GradientStep {
 public:
  /// `objective` reads its batch from tensors that keep their address.
  GradientStep(StepContext context, std::function<BatchLoss(const BoundParameters&)> objective);

  /// Writes the gradient of the loss to the context's vector. Returns the statistics, which the next call
  /// overwrites.
  const Tensor& operator()();

 private:
  void compute();

  StepContext context_;
  std::function<BatchLoss(const BoundParameters&)> objective_;
  std::function<void()> replay_;  // once recorded
  Tensor statistics_;
};

}  // namespace faststar
