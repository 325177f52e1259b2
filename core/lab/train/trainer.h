#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/process_group.h"
#include "core/base/progress.h"
#include "core/lab/train/train_settings.h"
#include "core/lab/train/training_step.h"

namespace faststar {

/// The phases of a run, in order; each starts from the averaged weights of the one before.
enum class TrainPhase { vocabulary, vae_crops, vae_frames, vae_decoder, star_short, star_long, model };
constexpr auto choice_words(TrainPhase) {
  return word_list("vocabulary", "vae_crops", "vae_frames", "vae_decoder", "star_short", "star_long", "model");
}

/// world: new clips in every step. few_clips: the same few clips over and over, which shows within seconds whether
/// anything learns at all.
enum class TrainData { world, few_clips };

/// A call of `faststar train`.
struct TrainJob {
  TrainSettings settings;
  std::string recipe;                 ///< of `settings`, for the log: a name or a file
  std::string stage;                  ///< of the recipe; empty: it has no stages
  std::filesystem::path folder;       ///< of the run: state, log, samples, pack, model
  std::string device;                 ///< for pick_device
  at::ScalarType dtype = at::kFloat;  ///< of convolutions and matrix products; weights are float32
  Execution execution = Execution::eager;
  TrainData data = TrainData::world;
  std::optional<std::string> from;           ///< a model folder whose weights a new run starts with; none: random ones
  std::optional<TrainPhase> last_phase;      ///< none: all of them
  std::optional<double> stop_after_seconds;  ///< of this call
  std::shared_ptr<ProcessGroup> workers = std::make_shared<ProcessGroup>();  ///< the processes that train together
};

/// How a call ended.
struct TrainReport {
  std::filesystem::path folder;  ///< of the run
  bool finished = false;         ///< all that was asked for is done
  std::string phase;             ///< the run's current one
  int64_t steps_done = 0;
  int64_t steps = 0;
  double training_seconds = 0;  ///< of all calls of this run, without logging, sampling and saving
};

/// Starts the run in `folder`, or resumes it, until everything is trained, time is up or the user asks to stop.
/// Leaves in the folder: state/ (to resume exactly), pack/ (to resume elsewhere), log.jsonl, loss.svg, samples/ and,
/// when the run is finished, model/. Throws Error.
TrainReport run_training(const TrainJob& job, Progress& progress);

/// Trains the stages of a recipe one after the other, each as a run of its own in `<folder>/<stage>` that starts from
/// the model of the stage that it names; finished stages are skipped. A recipe without stages is one run in `folder`.
/// `only`: this stage alone. `common`: what the runs share; its `from` replaces the start of the first run.
/// Throws Error.
TrainReport train_recipe(const std::vector<RecipeStage>& recipe, const std::string& only, const TrainJob& common,
                         Progress& progress);

}  // namespace faststar
