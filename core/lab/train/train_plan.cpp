#include "core/lab/train/train_plan.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/config/installation.h"
#include "core/lab/evaluate/engine_model.h"
#include "core/lab/world/scene.h"
#include "core/pipeline/request.h"

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
  if (schedule.repetitions.image != schedule.repetitions.video) {
    fail(ErrorKind::usage, fmt::format("{}: training needs equal repetitions of image and video clips: their frames "
                                       "are quantised together",
                                       preset.file.string()));
  }
  const std::string pn = pn_of(config.generate.resolution);
  make_schedule(key, pn, 2, 1).steps(schedule.repetitions);  // refuses bad lists
  PyramidShape pyramid{.scales = image_scales(key, pn),
                       .repetitions = schedule.repetitions.image,
                       .semantic_scales = schedule.semantic_scales};
  const Scale& full = pyramid.scales.back();
  if (full.h * kPixelsPerFeature != kWorldHeight || full.w * kPixelsPerFeature != kWorldWidth) {
    fail(ErrorKind::usage,
         fmt::format("{}: training needs {}x{} pixels, the size of its clips, got {}x{}", preset.file.string(),
                     kWorldWidth, kWorldHeight, full.w * kPixelsPerFeature, full.h * kPixelsPerFeature));
  }
  if (pyramid.semantic_scales > static_cast<int>(pyramid.scales.size())) {
    fail(ErrorKind::usage, fmt::format("{}: semantic_scales: expected at most {}, got {}", preset.file.string(),
                                       pyramid.scales.size(), pyramid.semantic_scales));
  }
  return pyramid;
}

/// Settings that the preset does not allow.
void check_against_preset(const TrainSettings& settings, const PyramidShape& pyramid, const ModelPreset& preset) {
  if (settings.vae_noise.fewest_kept > pyramid.iterations()) {
    fail(ErrorKind::usage, fmt::format("vae_noise.fewest_kept: expected at most {}, the iterations of {}, got {}",
                                       pyramid.iterations(), preset.file.string(), settings.vae_noise.fewest_kept));
  }
  for (const StarStageSettings* stage : {&settings.star_short, &settings.star_long}) {
    if (stage->steps == 0 || !stage->half_clip || preset.latents_per_clip % 2 == 0) continue;
    fail(ErrorKind::usage, fmt::format("half_clip: expected clips of an even number of latent frames, {} has {}",
                                       preset.file.string(), preset.latents_per_clip));
  }
}

}  // namespace

TrainPlan make_train_plan(const TrainSettings& settings) {
  ModelPreset preset = preset_of(settings.run);
  const ModelSizes& sizes = *preset.architecture;
  const PyramidShape pyramid = pyramid_of(preset);
  check_against_preset(settings, pyramid, preset);
  const Config& config = preset.settings.config;
  TrainPlan plan{.vae = {.architecture = sizes.vae,
                         .pyramid = pyramid,
                         .loss = settings.vae_loss,
                         .noise = settings.vae_noise,
                         .sample_frames = frames_of_latents(1 + preset.latents_per_clip)},
                 .star = {.star = sizes.transformer,
                          .t5 = sizes.text_encoder,
                          .pyramid = pyramid,
                          .latents_per_clip = preset.latents_per_clip,
                          .loss = settings.star_loss,
                          .noise = settings.star_noise,
                          .generation = generation_settings(config)},
                 .longest_text = config.prompt.text_limit};
  plan.star.generation.attention = AttentionBackend::aten;
  plan.preset = std::move(preset);
  return plan;
}

}  // namespace faststar
