#include "core/train/train_plan.h"

#include <fmt/format.h>

#include "core/config/installation.h"
#include "core/engine/open_model.h"
#include "core/error.h"
#include "core/evaluate/engine_model.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

ModelPreset preset_of(const RunSettings& run) {
  const fs::path file = file_or_preset(run.model);
  if (file.empty()) fail(ErrorKind::usage, fmt::format("run.model: {}: no such file and no such preset", run.model));
  ModelPreset preset = read_preset(file);
  if (!preset.architecture) {
    fail(ErrorKind::usage, fmt::format("{}: training needs an `architecture:` section", file.string()));
  }
  return preset;
}

PyramidShape pyramid_of(const ModelPreset& preset) {
  const Config& config = preset.settings.config;
  const auto [width, height] = config.generate.aspect;
  const double key = nearest_aspect_key(static_cast<double>(height) / width);
  const ScheduleConfig& schedule = config.schedule;
  if (schedule.image_repetitions != schedule.video_repetitions) {
    fail(ErrorKind::usage, fmt::format("{}: training needs equal repetitions of image and video clips: their frames "
                                       "are quantised together",
                                       preset.file.string()));
  }
  return {.scales = image_scales(key, pn_of(config.generate.resolution)),
          .repetitions = schedule.image_repetitions,
          .semantic_scales = schedule.semantic_scales};
}

}  // namespace

TrainPlan make_train_plan(const TrainSettings& settings) {
  ModelPreset preset = preset_of(settings.run);
  const ModelSizes& sizes = *preset.architecture;
  const PyramidShape pyramid = pyramid_of(preset);
  const Config& config = preset.settings.config;
  TrainPlan plan{.vae = {.architecture = vae_architecture_of(sizes.vae),
                         .pyramid = pyramid,
                         .loss = settings.vae_loss,
                         .noise = settings.vae_noise,
                         .sample_frames = frames_of_latents(1 + preset.latents_per_clip)},
                 .star = {.star = star_architecture_of(sizes),
                          .t5 = t5_architecture_of(sizes.text_encoder),
                          .pyramid = pyramid,
                          .latents_per_clip = preset.latents_per_clip,
                          .loss = settings.star_loss,
                          .noise = settings.star_noise,
                          .generation = generation_of(config)},
                 .longest_text = config.prompt.text_limit};
  plan.star.generation.attention = AttentionBackend::aten;
  plan.preset = std::move(preset);
  return plan;
}

}  // namespace faststar
