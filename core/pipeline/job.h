#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/config/config.h"
#include "core/config/model_folder.h"
#include "core/media/resize.h"
#include "core/media/sound_track.h"

namespace faststar {

enum class Task {
  text_to_video,
  text_to_image,
  image_to_video,
  video_to_video,
  continuation,  ///< one clip that goes on from the features of another (interactive mode)
};

/// The command that does a task.
constexpr const char* task_command(Task task) {
  constexpr std::array names = {"t2v", "t2i", "i2v", "v2v", "interact"};
  return names[static_cast<size_t>(task)];
}

/// A model and how it is to run: what every job of one process shares.
struct EngineSetup {
  ModelFolder model;
  std::string device;  ///< for pick_device; names a device that works
  Precision precision = Precision::fp32;
  AttentionBackend attention = AttentionBackend::automatic;
  Kernels kernels = Kernels::automatic;
  std::optional<double> vram;  ///< most device memory in GB; none: all that is free
};

/// The grid of a run and the pixels it becomes.
struct JobSize {
  double aspect_key = 0.562;  ///< template of the schedule, height / width
  std::string pn;             ///< official size name, "0.90M"
  int latent_frames = 1;      ///< 1 is a picture
  int latents_per_clip = 20;
  int64_t frames = 1;  ///< 4 (latent_frames - 1) + 1
  int64_t height = 0;  ///< pixels
  int64_t width = 0;   ///< pixels
};

/// Which part of a video is gone on from: one that begins at `start`, or its last one.
enum class SourcePart { from_start, last };

/// What a video goes on from.
struct JobSource {
  std::filesystem::path file;
  Fit fit = Fit::crop;
  SourcePart part = SourcePart::from_start;
  double start = 0;       ///< seconds; of a video
  bool only_new = false;  ///< leave its part out of the file
  int64_t latents = 1;    ///< latent frames of it: 1 of a picture, the first clips of a video
};

/// One file to make.
struct JobOutput {
  int64_t seed = 0;
  std::filesystem::path file;
  std::optional<std::filesystem::path> frames_dir;
  std::optional<std::filesystem::path> codes;
  std::optional<std::filesystem::path> preview;
  std::optional<std::filesystem::path> trace;
  std::string settings_json;  ///< all that remakes the file, for its metadata
};

/// Everything resolved and checked: what a run needs, and nothing to decide.
struct GenerateJob {
  Task task = Task::text_to_video;
  EngineSetup setup;
  std::string prompt;                   ///< as the user wrote it
  std::string model_prompt;             ///< with tag and suffix: what the tokenizer gets
  std::optional<std::string> negative;  ///< none: the learned unconditional text
  int text_limit = 512;                 ///< tokens
  JobSize size;
  std::optional<JobSource> source;
  std::shared_ptr<const SoundTrack> sound;  ///< of the source, for its part of the video
  FirstFrame first_frame = FirstFrame::copy;
  GuidanceConfig guidance;
  Sampling sampling = Sampling::philox;
  double tau_image = 1;
  double tau_video = 1;
  ScheduleConfig schedule;
  ReductionSettings reduction;
  OutputConfig encoding;                 ///< crf, preset, lossless, no_metadata
  Existing existing = Existing::refuse;  ///< for every file of `outputs`
  std::vector<JobOutput> outputs;        ///< one a seed, in order
};

/// Frames that the file of `job` shows: all, or those after the source.
int64_t frames_shown(const GenerateJob& job);

}  // namespace faststar
