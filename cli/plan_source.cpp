#include "cli/plan_source.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/vae/architecture.h"

namespace faststar {
namespace {

std::filesystem::path named_file(const std::optional<std::string>& name, const char* what, const char* hint) {
  if (!name || name->empty()) fail(ErrorKind::usage, fmt::format("no {}", what), hint);
  return *name;
}

/// Seconds of a video of `latents` latent frames.
int seconds_of(int latents) { return (latents - 1) / kLatentFramesPerSecond; }

}  // namespace

std::optional<JobSource> plan_source(Task task, const ResolvedSettings& resolved) {
  const GenerateConfig& generate = resolved.settings.config.generate;
  if (task == Task::image_to_video) {
    return JobSource{.file = named_file(generate.image, "picture", "--image FILE"), .fit = generate.fit};
  }
  if (task == Task::continuation && generate.video) {
    return JobSource{.file = *generate.video,
                     .fit = generate.fit,
                     .part = SourcePart::last,
                     .only_new = generate.only_new,
                     .latents = 1 + resolved.model.preset.latents_per_clip};
  }
  if (task != Task::video_to_video) return std::nullopt;
  return JobSource{.file = named_file(generate.video, "video to go on from", "--video FILE"),
                   .fit = generate.fit,
                   .start = generate.start,
                   .only_new = generate.only_new,
                   .latents = 1 + resolved.model.preset.latents_per_clip};
}

void choose_continued_duration(ResolvedSettings& resolved) {
  Settings& settings = resolved.settings;
  const int clip = seconds_of(1 + resolved.model.preset.latents_per_clip);
  Seconds& duration = settings.config.generate.duration;
  if (settings.origin("duration").source <= Source::preset) duration.count = 2 * clip;
  if (duration.count > clip) return;
  fail(ErrorKind::usage,
       fmt::format("{} {}: expected more than the {} s that the video brings", settings.origin("duration").text,
                   duration.count, clip),
       fmt::format("--duration {}", 2 * clip));
}

std::optional<SoundTrack> plan_sound(const GenerateJob& job, const std::filesystem::path& file) {
  if (job.task != Task::video_to_video || job.source->only_new) return std::nullopt;
  constexpr double kFramesPerSecond = 16;
  const double seconds = static_cast<double>(frames_of_latents(job.source->latents)) / kFramesPerSecond;
  return usable_sound({job.source->file, job.source->start, seconds}, file);
}

}  // namespace faststar
