#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/config/config.h"
#include "core/config/model_folder.h"
#include "core/progress.h"

namespace faststar {

enum class Task { text_to_video, text_to_image };

/// The command that does a task.
constexpr const char* task_command(Task task) { return task == Task::text_to_video ? "t2v" : "t2i"; }

/// The grid of a run and the pixels it becomes.
struct JobSize {
  double aspect_key = 0.562;  ///< template of the schedule, height / width
  std::string pn;             ///< official size name, "0.90M"
  int latent_frames = 1;      ///< 1 is a picture
  int latents_per_clip = 20;
  int frames = 1;  ///< 4 (latent_frames - 1) + 1
  int height = 0;  ///< pixels
  int width = 0;   ///< pixels
};

/// One file to make.
struct JobOutput {
  int64_t seed = 0;
  std::filesystem::path file;
  std::optional<std::filesystem::path> frames_dir;
  std::optional<std::filesystem::path> codes;
  std::optional<std::filesystem::path> trace;
  std::string settings_json;  ///< all that remakes the file, for its metadata
};

/// Everything resolved and checked: what a run needs, and nothing to decide.
struct GenerateJob {
  Task task = Task::text_to_video;
  ModelFolder model;
  std::string prompt;                   ///< as the user wrote it
  std::string model_prompt;             ///< with tag and suffix: what the tokenizer gets
  std::optional<std::string> negative;  ///< none: the learned unconditional text
  int text_limit = 512;                 ///< tokens
  JobSize size;
  FirstFrame first_frame = FirstFrame::copy;
  GuidanceConfig guidance;
  Sampling sampling = Sampling::philox;
  double tau_image = 1;
  double tau_video = 1;
  ScheduleConfig schedule;
  ReductionSettings reduction;
  std::string device;  ///< for pick_device; names a device that works
  Precision precision = Precision::fp32;
  AttentionBackend attention = AttentionBackend::automatic;
  Kernels kernels = Kernels::automatic;
  OutputConfig encoding;                 ///< crf, preset, lossless, no_metadata
  Existing existing = Existing::refuse;  ///< for every file of `outputs`
  std::vector<JobOutput> outputs;        ///< one a seed, in order
};

/// What a run finds out before weights load: opens the model, tokenizes, prints the memory plan.
/// Throws what run_generation would throw until then; Error(device) when the plan does not fit.
void check_generation(const GenerateJob& job);

/// Makes the outputs of `job` one after the other; `on_file` hears of each as it is finished. A stop that
/// `progress` asks for ends it after the current step with Error(interrupted); finished files stay.
void run_generation(const GenerateJob& job, Progress& progress,
                    const std::function<void(const std::filesystem::path& file)>& on_file = {});

}  // namespace faststar
