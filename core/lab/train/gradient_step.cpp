#include "core/lab/train/gradient_step.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/device.h"
#include "cuda/graph.h"

namespace faststar {

StepContext make_step_context(const ParameterLayout& layout, const Tensor& weights, at::ScalarType lower,
                              Execution execution) {
  StepContext context{.layout = layout,
                      .weights = weights,
                      .gradient = at::zeros_like(weights.detach()),
                      .lower = lower,
                      .execution = execution,
                      .pool = nullptr};
  if (execution == Execution::graph) context.pool = cuda::make_graph_pool();
  return context;
}

GradientStep::GradientStep(StepContext context, std::function<BatchLoss(const BoundParameters&)> objective)
    : context_(std::move(context)), objective_(std::move(objective)) {}

void GradientStep::compute() {
  const BoundParameters bound(context_.layout, context_.weights, context_.lower);
  const BatchLoss evaluation = objective_(bound);
  // grad(), not backward(): nothing accumulates, and the leaf's own gradient is never allocated.
  const auto gradients = torch::autograd::grad({evaluation.loss}, {context_.weights});
  context_.gradient.copy_(gradients[0]);
  if (statistics_.defined()) {
    statistics_.copy_(evaluation.statistics);
  } else {
    statistics_ = evaluation.statistics.clone();
  }
}

const Tensor& GradientStep::operator()() {
  if (context_.execution == Execution::graph) {
    if (!replay_) replay_ = cuda::record([this] { compute(); }, context_.pool);
    replay_();
    return statistics_;
  }
  compute();
  return statistics_;
}

}  // namespace faststar
