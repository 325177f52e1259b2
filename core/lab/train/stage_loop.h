#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/lab/train/network_state.h"
#include "core/lab/train/train_log.h"
#include "core/lab/train/train_settings.h"
#include "core/lab/train/workers.h"

namespace faststar {

/// One stage of training, as the loop sees it.
struct StageTask {
  std::string name;
  int64_t steps = 0;
  LearningRate learning_rate;
  std::vector<std::string> statistics;                  ///< names of what `gradient` returns
  std::function<const Tensor&(int64_t step)> gradient;  ///< fills the batch of a step and writes its gradient
  std::function<void(int64_t step)> sample;             ///< shows how far the network is
};

/// When a call ends before its work is done.
struct StopRule {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  const Progress* progress = nullptr;
  Workers& workers;

  /// Costs nothing: there is nobody to agree with.
  bool is_cheap() const { return workers.count() == 1; }
  /// What the first process sees, in all of them.
  bool reached() const;
};

enum class StageEnd { finished, stopped };

/// What the loop does with a network besides training it.
struct LoopSettings {
  int64_t log_every = 50;
  int64_t sample_every = 2000;
  double save_every = 120;  ///< seconds
  std::function<void(const NetworkState&)> save;
};

/// Takes the steps of `task` that `state` has not taken yet, until they are done or the rule says stop. After a
/// restart with zero moments the learning rate is ramped up over some steps.
StageEnd run_stage(const StageTask& task, const Optimizer& optimizer, const Tensor& gradient, NetworkState& state,
                   const LoopSettings& settings, const StopRule& stop, TrainLog& log, Progress& progress);

}  // namespace faststar
