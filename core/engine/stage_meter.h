#pragma once
#include <chrono>
#include <map>
#include <string>

#include "core/progress.h"
#include "core/tensor.h"

namespace faststar {

/// Wall-clock seconds by stage name: what the metadata tells of a run.
using StageSeconds = std::map<std::string, double, std::less<>>;

/// Measures one stage from its construction on: wall-clock seconds and most device bytes.
class StageMeter {
 public:
  StageMeter(Stage stage, at::Device device);
  /// Waits for the device, logs one line and adds the seconds to `seconds`.
  void finish(StageSeconds& seconds) const;

 private:
  using Clock = std::chrono::steady_clock;
  Stage stage_;
  at::Device device_;
  Clock::time_point start_;
};

}  // namespace faststar
