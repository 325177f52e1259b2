#include "core/lab/evaluate/engine_model.h"

#include "core/pipeline/pipeline.h"
#include "core/pipeline/prompt.h"

namespace faststar {

TestedModel tested_model(Model& model, const Config& config) {
  const auto encode_text = [&model, &config](const std::string& prompt) {
    const std::string text = video_prompt(prompt, config.prompt, config.generate.duration);
    return Pipeline(model).encode_text(text, config.prompt.text_limit).cond;
  };
  const auto [width, height] = config.generate.aspect;
  return {.transformer = model.transformer(),
          .vae = model.vae(VaeParts::encoder_and_decoder),
          .encode_text = encode_text,
          .generation = generation_settings(config),
          .aspect_key = nearest_aspect_key(static_cast<double>(height) / width),
          .pn = pn_of(config.generate.resolution),
          .latents_per_clip = model.setup().model.preset.latents_per_clip,
          .detail_scale_min_tokens = config.schedule.detail_scale_min_tokens};
}

}  // namespace faststar
