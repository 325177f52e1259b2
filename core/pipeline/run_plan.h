#pragma once
#include <optional>

#include "core/base/progress.h"
#include "core/pipeline/engine.h"

namespace faststar {

/// What is known of a run before any weight loads.
struct RunPlan {
  TextIds ids;
  std::optional<Tensor> source;  ///< pixels of read_source
  Workload work;
  MemoryPlan memory;

  /// Estimated seconds of one video's passes, of its previews, and of its decode.
  double token_seconds() const;
  double preview_seconds() const;
  double decode_seconds() const;
};

/// Share of a decode that completing the file takes beyond it; encoding itself overlaps decoding.
inline constexpr double kFileShare = 0.1;

/// The schedule of a run of `job`: of its whole video, or of the one clip that goes on.
Schedule schedule_of(const GenerateJob& job);

/// Reads and tokenizes what `job` names and chooses a memory plan, which it logs.
/// Throws Error(input) for the source, Error(model) for the vocabulary, Error(device) when no plan fits,
/// Error(output) when the disk is full.
RunPlan plan_run(const Engine& engine, const GenerateJob& job);

/// How a run of `job` samples.
GenerationSettings generation_settings(const Engine& engine, const GenerateJob& job, int64_t seed);

/// Tells `progress` what all outputs of `job` cost.
void announce_costs(const Engine& engine, const GenerateJob& job, const RunPlan& plan, Progress& progress);

/// Estimated seconds until all weights are loaded: next to none when they are random, none when they are there.
double load_cost(const Engine& engine, const RunPlan& plan);

/// The scale of a clip, counted from its first, whose accumulated features are worth a preview: it shows the whole
/// clip, and most of the work is still to come.
int preview_scale(const Schedule& schedule);

}  // namespace faststar
