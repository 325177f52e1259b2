#pragma once
#include "core/config/preset.h"
#include "core/lab/train/trainer.h"
#include "support/support.h"

namespace faststar::test {

/// Networks that train a few steps in a second on a CPU, for clips of five frames.
inline constexpr const char* kSmallPreset = R"(
model: { name: small, latents_per_clip: 1, sizes: { 192p: { trained: [1] } } }
generate: { duration: 1, resolution: 192p, aspect: "16:9", first_frame: copy }
prompt: { prompt_suffix: "", duration_tag: false, text_limit: 64 }
guidance: { guidance: 2, guidance_method: cfg }
sampling: { tau_image: 0.6, tau_video: 0.4 }
schedule:
  image_repetitions: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  video_repetitions: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  semantic_scales: 8
  detail_scale_min_tokens: 100
architecture:
  transformer: { width: 32, heads: 2, kv_heads: 1, head_dim: 16, ffn_width: 48, layers: 2, chunks: 1, text_rows: 64 }
  text_encoder: { width: 24, heads: 2, head_dim: 8, ffn_width: 32, layers: 1, vocabulary: 900 }
  vae: { channels: [8, 8, 8, 8, 8] }
)";

/// A run in `folder` of one or two steps for each of four phases, with a vocabulary in place: training one takes
/// seconds.
inline TrainJob small_run(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "vocabulary");
  std::filesystem::copy_file(preset_file("tiny").parent_path() / "t5" / "spiece.model",
                             folder / "vocabulary" / "spiece.model", std::filesystem::copy_options::overwrite_existing);
  write_text(folder / "small.yaml", kSmallPreset);
  TrainJob job{.folder = folder, .device = "cpu"};
  job.settings.run = {.model = (folder / "small.yaml").string(), .log_every = 1, .sample_clips = 0, .save_every = 1000};
  const LearningRate rate{.start = 1e-3, .end = 1e-4, .warmup = 1};
  job.settings.vae_crops = {
      .steps = 2, .batch = 2, .height = 48, .width = 64, .frames = 5, .noisy_every = 2, .learning_rate = rate};
  job.settings.vae_frames = {.steps = 1, .batch = 1, .height = 48, .width = 64, .frames = 5, .learning_rate = rate};
  job.settings.vae_decoder = job.settings.vae_frames;
  job.settings.star_short = {.steps = 2,
                             .batch = 8,
                             .video_clips = 1,
                             .pool = 200,
                             .capacity = 16,
                             .first_clips = 8,
                             .refresh_every = 2,
                             .learning_rate = rate};
  job.settings.star_long = job.settings.star_short;
  job.settings.star_long.steps = 0;
  return job;
}

}  // namespace faststar::test
