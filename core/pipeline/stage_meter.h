#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "core/base/progress.h"
#include "core/base/tensor.h"

namespace faststar {

/// Wall-clock seconds by stage name: what the metadata tells of a run.
using StageSeconds = std::map<std::string, double, std::less<>>;

/// What a run took.
struct RunRecord {
  StageSeconds seconds;
  int64_t peak_bytes = 0;  ///< most device memory of any stage; 0 on the CPU
};

/// Measures one stage from its construction on: wall-clock seconds and most device bytes.
class StageMeter {
 public:
  StageMeter(Stage stage, at::Device device);
  /// Waits for the device, logs one line and adds the stage to `record`.
  void finish(RunRecord& record) const;

 private:
  using Clock = std::chrono::steady_clock;
  Stage stage_;
  at::Device device_;
  Clock::time_point start_;
};

}  // namespace faststar
