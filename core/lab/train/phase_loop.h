#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/process_group.h"
#include "core/base/progress.h"
#include "core/lab/train/run_folder.h"
#include "core/lab/train/train_log.h"
#include "core/lab/train/train_settings.h"
#include "core/lab/world/clip_renderer.h"
#include "core/lab/world/counter_random.h"
#include "core/lab/world/world.h"

namespace faststar {

/// Purposes of the random numbers of training, for CounterRandom.
enum class Draw : uint32_t { clips, crops, corruption, repetitions, lengths };

/// The seed of one of the processes that train together; the first one's is that of the run.
constexpr uint64_t worker_seed(uint64_t seed, int rank) {
  return seed + static_cast<uint64_t>(rank) * 0x9E3779B97F4A7C15u;
}

/// The next numbers of `random`: float32 of `shape`, in [0, 1), on the CPU.
Tensor uniform_tensor(CounterRandom random, at::IntArrayRef shape);

/// What all phases of a run share.
struct RunContext {
  const World& world;
  const ClipRenderer& renderer;
  at::Device device;
  at::ScalarType dtype = at::kBFloat16;  ///< of convolutions and matrix products
  Execution execution = Execution::eager;
  uint64_t seed = 0;
  ProcessGroup& workers;
  std::filesystem::path samples;         ///< folder for pictures
  int64_t sample_clips = 4;              ///< clips that a picture shows; 0: no pictures
  std::optional<int64_t> only_scenes{};  ///< draw only the first ones; unset: new ones in every step

  /// The seed of the draws of this process.
  uint64_t own_seed() const { return worker_seed(seed, workers.rank()); }
};

/// One phase of training, as run_phase needs it.
struct PhaseTask {
  std::string name;
  int64_t steps = 0;
  LearningRate learning_rate;
  std::vector<std::string> statistics;                  ///< names of what `gradient` returns
  std::function<const Tensor&(int64_t step)> gradient;  ///< fills the batch of a step and computes its gradient
  std::function<void(int64_t step)> sample;             ///< writes sample pictures
};

/// When a call stops early.
struct StopRule {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  const Progress* progress = nullptr;
  ProcessGroup& workers;

  /// True for one process alone: reached() then needs no communication.
  bool is_cheap() const { return workers.size() == 1; }
  /// The decision of the first process, in all of them.
  bool reached() const;
};

enum class PhaseEnd { finished, stopped };

/// How often run_phase logs, samples and saves.
struct LoopSettings {
  int64_t log_every = 50;
  int64_t sample_every = 2000;
  double save_every = 120;  ///< seconds
  std::function<void(const NetworkState&)> save;
};

/// Runs the steps of `task` that `state` has not done yet, until all are done or `stop` says so. After a restart with
/// zero moments the learning rate is ramped up over some steps.
PhaseEnd run_phase(const PhaseTask& task, const Optimizer& optimizer, const Tensor& gradient, NetworkState& state,
                   const LoopSettings& settings, const StopRule& stop, TrainLog& log, Progress& progress);

}  // namespace faststar
