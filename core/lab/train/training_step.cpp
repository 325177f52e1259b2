#include "core/lab/train/training_step.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/base/device.h"
#include "core/base/error.h"
#include "cuda/runtime.h"

namespace faststar {
namespace {

constexpr int64_t kAlignment = 8;  // elements: 16 bytes of bfloat16

/// Tensors in two dtypes under the same names; the dtype asked for decides which one is read.
class BoundSource final : public TensorSource {
 public:
  BoundSource(const std::map<std::string, Tensor>& full, const std::map<std::string, Tensor>& lower,
              const std::string& prefix) {
    for (const auto& [name, tensor] : full) {
      if (!name.starts_with(prefix)) continue;
      const std::string own = name.substr(prefix.size());
      infos_[own] = {at::kFloat, tensor.sizes().vec()};
      full_[own] = tensor;
      lower_[own] = lower.empty() ? tensor : lower.at(name);
    }
  }

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  std::string origin() const override { return "weights in training"; }

  Tensor read(const std::string& name, const TensorInfo& info, at::Device) const override {
    const auto& held = info.dtype == at::kFloat ? full_ : lower_;
    const auto found = held.find(name);
    if (found == held.end()) fail_missing(*this, name);
    return found->second;
  }

 private:
  std::map<std::string, TensorInfo> infos_;
  std::map<std::string, Tensor> full_, lower_;
};

constexpr double kEpsilon = 1e-8;
constexpr double kAverageStart = 20;  // steps: a young average follows the weights closely

}  // namespace

ParameterLayout::ParameterLayout(const std::map<std::string, Tensor>& tensors, const ParameterRules& rules) {
  for (const bool decayed : {true, false}) {
    for (const auto& [name, tensor] : tensors) {
      if (rules.is_decayed(name) != decayed) continue;
      const int64_t padded = (tensor.numel() + kAlignment - 1) / kAlignment * kAlignment;
      entries_.push_back({name, tensor.sizes().vec(), tensor.numel(), padded, rules.is_frozen(name)});
      size_ += padded;
    }
    if (decayed) decayed_size_ = size_;
  }
}

Tensor ParameterLayout::join(const std::map<std::string, Tensor>& tensors, const std::string& origin,
                             at::Device device) const {
  Tensor vector = at::zeros({size_}, at::kFloat);
  int64_t offset = 0;
  for (const Entry& entry : entries_) {
    const auto found = tensors.find(entry.name);
    if (found == tensors.end()) fail(ErrorKind::model, fmt::format("{}: no tensor {}", origin, entry.name));
    if (found->second.sizes() != at::IntArrayRef(entry.shape)) {
      fail(ErrorKind::model, fmt::format("{}: tensor {}: expected shape {}, got {}", origin, entry.name,
                                         shape_text(entry.shape), shape_text(found->second.sizes())));
    }
    vector.narrow(0, offset, entry.numel).copy_(found->second.reshape({-1}));
    offset += entry.padded;
  }
  return vector.to(device);
}

std::map<std::string, Tensor> ParameterLayout::split(const Tensor& vector) const {
  std::vector<int64_t> sizes;
  for (const Entry& entry : entries_) sizes.push_back(entry.padded);
  // One split, not a slice a tensor: the backward of a slice is a vector of zeros.
  const std::vector<Tensor> pieces = at::split_with_sizes(vector, sizes);
  std::map<std::string, Tensor> tensors;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const Tensor whole = entry.padded == entry.numel ? pieces[i] : pieces[i].narrow(0, 0, entry.numel);
    tensors[entry.name] = (entry.frozen ? whole.detach() : whole).view(entry.shape);
  }
  return tensors;
}

BoundParameters::BoundParameters(const ParameterLayout& layout, const Tensor& vector, at::ScalarType lower)
    : full_(layout.split(vector)) {
  if (lower != at::kFloat) lower_ = layout.split(vector.to(lower));
}

std::shared_ptr<const TensorSource> BoundParameters::source(const std::string& prefix) const {
  return std::make_shared<const BoundSource>(full_, lower_, prefix);
}

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
  const auto update_part = [&](int64_t start, int64_t length, double weight_decay) {
    if (length == 0) return;
    const auto part = [&](const Tensor& vector) { return vector.narrow(0, start, length); };
    const Tensor step = at::full({}, static_cast<double>(state.updates + 1), weights.options());
    at::_fused_adamw_(part(weights), part(gradient), part(state.first_moment), part(state.second_moment),
                      /*max_exp_avg_sqs=*/{}, step, learning_rate, settings_.beta1, settings_.beta2, weight_decay,
                      kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
  };
  update_part(0, decayed_, settings_.weight_decay);
  update_part(decayed_, weights.size(0) - decayed_, 0);
  ++state.updates;
  const auto averaged = static_cast<double>(steps_done + 1);
  const double decay = std::min(settings_.average_decay, averaged / (averaged + kAverageStart));
  state.average.lerp_(weights, 1 - decay);
  return norm;
}

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

void GradientStep::compute() {
  const BoundParameters bound(context_.layout, context_.weights, context_.lower);
  const BatchLoss batch = objective_(bound);
  // grad(), not backward(): nothing accumulates, and the leaf's own gradient is never allocated.
  const auto gradients = torch::autograd::grad({batch.loss}, {context_.weights});
  context_.gradient.copy_(gradients[0]);
  if (statistics_.defined()) {
    statistics_.copy_(batch.statistics);
  } else {
    statistics_ = batch.statistics.clone();
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
