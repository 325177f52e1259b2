#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/lab/bench/gpu_monitor.h"
#include "core/lab/bench/samples.h"
#include "core/lab/study/part_timer.h"
#include "core/pipeline/run.h"

namespace faststar {

/// A configuration that is measured.
struct BenchVariant {
  std::string name;
  Plan plan;  ///< of one video
  Kernels kernels = Kernels::automatic;
  /// The processes that make it: those of the model, or one alone while the others wait.
  std::shared_ptr<ProcessGroup> group = std::make_shared<ProcessGroup>();
};

/// One video from prompt to finished file.
struct BenchRun {
  bool warm_up = false;
  double text = 0;  ///< seconds each
  double tokens = 0;
  double decode = 0;  ///< until the last frame was decoded
  double file = 0;    ///< from then on until the file was complete
  double total = 0;
  std::vector<double> steps;  ///< seconds by step
  /// The text's pass through the transformer, and what lies between the stages.
  double rest() const;
  int64_t peak_bytes = 0;  ///< of the device; on the CPU of the process
  GpuUse use;
};

/// The measurements of a variant.
struct VariantRuns {
  std::vector<BenchRun> runs;    ///< warm-up runs first
  std::vector<PartTimes> parts;  ///< by step, of one more run; 0 where nothing was computed
  int64_t file_bytes = 0;
  int64_t loaded_bytes = 0;  ///< of weights that came from files for this variant
  double load_seconds = 0;   ///< that they took

  /// A quantity of every run but the warm-up runs.
  Samples samples(const std::function<double(const BenchRun&)>& quantity) const;
};

struct BenchCounts {
  int runs = 5;  ///< of each variant
  int warm_up = 1;
};

/// Makes the videos of all variants over one model, alternating, so that a machine that slows down or speeds up meets
/// all of them. Networks are loaded before the first run. Log lines of the runs are not shown. All processes of the
/// model's group call it; the measurements are those of the first one. Throws as run_plan.
std::vector<VariantRuns> run_variants(Model& model, const std::vector<BenchVariant>& variants,
                                      const BenchCounts& counts, const GpuMonitor& monitor, Progress& progress);

}  // namespace faststar
