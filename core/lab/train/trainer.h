#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/base/progress.h"
#include "core/lab/train/gradient_step.h"
#include "core/lab/train/train_settings.h"
#include "core/lab/train/workers.h"

namespace faststar {

/// The stages of a run, in order; each starts from what the one before left.
enum class TrainStage { vocabulary, vae_crops, vae_frames, vae_decoder, star_short, star_long, model };
template <>
struct Choices<TrainStage> {
  static constexpr std::array<std::string_view, 7> names = {"vocabulary", "vae_crops", "vae_frames", "vae_decoder",
                                                            "star_short", "star_long", "model"};
};

/// How far a call trains: the whole run, or one step after the other on the same few clips, which shows within
/// seconds whether anything learns at all.
enum class TrainData { world, few_clips };

/// A call of `faststar train`.
struct TrainJob {
  TrainSettings settings;
  std::string settings_name;          ///< of `settings`, for the log: a name or a file
  std::filesystem::path folder;       ///< of the run: state, log, samples, pack, model
  std::string device;                 ///< for pick_device
  at::ScalarType dtype = at::kFloat;  ///< of convolutions and matrix products; weights are float32
  Execution execution = Execution::eager;
  TrainData data = TrainData::world;
  std::optional<std::string> from;           ///< a model folder whose weights a new run starts with; none: random ones
  std::optional<TrainStage> last_stage;      ///< none: all of them
  std::optional<double> stop_after_seconds;  ///< of this call
  WorkerPlace place;                         ///< among the processes that train together, each with such a job
};

/// How a call ended.
struct TrainReport {
  bool finished = false;  ///< all that was asked for is done
  std::string stage;      ///< that the run is in
  int64_t steps_done = 0;
  int64_t steps = 0;
  double training_seconds = 0;  ///< of all calls of this run, without logging, sampling and saving
};

/// Goes on with the run in `folder`, or starts it, until everything is trained, time is up or the user asks to stop.
/// Leaves in the folder: state/ (to go on exactly), pack/ (to go on elsewhere), log.jsonl, loss.svg, samples/ and,
/// when the run is finished, model/. Throws Error.
TrainReport run_training(const TrainJob& job, Progress& progress);

}  // namespace faststar
