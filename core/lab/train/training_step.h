#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/weights/weights.h"

/// One step of training: weights in one vector, the gradient of a loss, the update by Adam.
namespace faststar {

namespace cuda {
class GraphPool;
}  // namespace cuda

/// Rules for tensors, by name.
struct ParameterRules {
  bool (*is_decayed)(const std::string& name);  ///< weight decay applies
  bool (*is_frozen)(const std::string& name);   ///< gets no gradient
};

/// Tensors by name that share one float32 vector: the weights of a network in training, their average, their
/// moments. One vector makes clipping, Adam, averaging and the sum over GPUs one operation each, and the gradient of
/// a whole network one tensor.
class ParameterLayout {
 public:
  /// A place for tensors of these names and shapes. Decayed ones come first, so that weight decay is a prefix.
  /// Every tensor starts at a multiple of 16 bytes, in bfloat16 too.
  ParameterLayout(const std::map<std::string, Tensor>& tensors, const ParameterRules& rules);

  int64_t size() const { return size_; }
  /// Elements of the front part, which weight decay applies to.
  int64_t decayed_size() const { return decayed_size_; }

  /// Joins tensors (any device and dtype) to a vector [size()] float32. Throws Error(model) naming `origin` when one
  /// is missing or has another shape.
  Tensor join(const std::map<std::string, Tensor>& tensors, const std::string& origin, at::Device device) const;

  /// The tensors of a vector, as views of it. Differentiable but for the frozen ones.
  std::map<std::string, Tensor> split(const Tensor& vector) const;

 private:
  struct Entry {
    std::string name;
    std::vector<int64_t> shape;
    int64_t numel = 0;
    int64_t padded = 0;
    bool frozen = false;
  };
  std::vector<Entry> entries_;
  int64_t size_ = 0;
  int64_t decayed_size_ = 0;
};

/// The tensors of one vector in float32 and in a lower dtype, for layers to load from. Built anew in every training
/// step: the layers' gradients arrive at the vector.
class BoundParameters {
 public:
  /// `lower` is the dtype besides float32 that layers ask for.
  BoundParameters(const ParameterLayout& layout, const Tensor& vector, at::ScalarType lower);

  /// Those whose name starts with `prefix`, under the rest of their name.
  std::shared_ptr<const TensorSource> source(const std::string& prefix) const;

 private:
  std::map<std::string, Tensor> full_;
  std::map<std::string, Tensor> lower_;  // empty when the lower dtype is float32
};

/// The loss of one batch.
struct BatchLoss {
  Tensor loss;        ///< scalar, differentiable
  Tensor statistics;  ///< [n] float32, detached: what the log shows
};

/// eager: launched operation by operation (for debugging on a GPU). graph: recorded once and replayed (GPU only).
enum class Execution { eager, graph };

/// What the steps of one network share.
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
  using Objective = std::function<BatchLoss(const BoundParameters&)>;
  /// `objective` reads its batch from tensors that keep their address.
  GradientStep(StepContext context, Objective objective)
      : context_(std::move(context)), objective_(std::move(objective)) {}

  /// Writes the gradient of the loss to the context's vector. Returns the statistics, which the next call
  /// overwrites.
  const Tensor& operator()();

 private:
  void compute();

  StepContext context_;
  Objective objective_;
  std::function<void()> replay_;  // once recorded
  Tensor statistics_;
};

struct OptimizerSettings {
  double beta1 = 0.9;
  double beta2 = 0.97;
  double weight_decay = 0;       ///< of the layout's decayed part, as in AdamW
  double longest_gradient = 1;   ///< gradients are clipped to this norm
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
