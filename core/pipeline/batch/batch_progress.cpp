#include "core/pipeline/batch/batch_progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace faststar {

void BatchProgress::begin(const std::string& file, std::string label) {
  announced_ = nullptr;
  running_ = &costs_[file];
  label_ = std::move(label);
}

void BatchProgress::settle(const std::string& file) {
  constexpr double kRounding = 1e-6;  // of sums of seconds: nothing to show
  for (auto& [stage, cost] : costs_[file]) {
    if (cost > kRounding) display_.advance(stage, cost, label_);
    cost = 0;
  }
}

void BatchProgress::plan(Stage stage, double cost) {
  if (announced_ == nullptr) return;
  (*announced_)[stage] += cost;
  display_.plan(stage, cost);
}

/// A second attempt repeats work that was shown already: it moves nothing until it gets further.
void BatchProgress::advance(Stage stage, double cost, std::string_view detail) {
  double& left = (*running_)[stage];
  const double shown = std::min(left, cost);
  left -= shown;
  display_.advance(stage, shown, detail.empty() ? label_ : fmt::format("{}, {}", label_, detail));
}

}  // namespace faststar
