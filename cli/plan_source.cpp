#include "cli/plan_source.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/media/metadata.h"
#include "core/model/vae/architecture.h"

namespace faststar {
namespace {

std::filesystem::path named_file(const std::optional<std::string>& name, const char* what, const char* hint) {
  if (!name || name->empty()) fail(ErrorKind::usage, fmt::format("no {}", what), hint);
  return *name;
}

/// True when this model made the file.
bool made_by(const ModelPreset& model, const std::filesystem::path& file) {
  const auto provenance = read_provenance(file);
  if (!provenance) return false;
  const auto settings = nlohmann::json::parse(provenance->settings_json);
  const nlohmann::json::json_pointer name("/model/name");
  return settings.contains(name) && settings[name] == model.name;
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
  if (settings.origin("duration").source <= Source::preset) {
    duration.count = 2 * clip;
    settings.origins["duration"] = {Source::preset, "the video and what follows, duration"};
  }
  if (duration.count > clip) return;
  fail(ErrorKind::usage,
       fmt::format("{} {}: expected more than the {} s that the video brings", settings.origin("duration").text,
                   duration.count, clip),
       fmt::format("--duration {}", 2 * clip));
}

std::shared_ptr<const SoundTrack> plan_sound(const GenerateJob& job, const std::filesystem::path& file) {
  if (job.task != Task::video_to_video || job.source->only_new) return nullptr;
  constexpr double kFramesPerSecond = 16;
  const double seconds = static_cast<double>(frames_of_latents(job.source->latents)) / kFramesPerSecond;
  return read_sound({job.source->file, job.source->start, seconds}, file);
}

void warn_about_mechanics(const GenerateJob& job) {
  const ModelFolder& model = job.setup.model;
  if (job.task == Task::continuation && !model.preset.interactive) {
    log::warn("{} was not trained for {}: it shows the mechanics only; 480p-interact is made for it", model.preset.name,
              task_command(job.task));
  } else if (job.source && model.embedded && !made_by(model.preset, job.source->file)) {
    log::warn("{} knows its own world of simple shapes: with other pictures and videos it shows the mechanics only",
              model.preset.name);
  }
}

}  // namespace faststar
