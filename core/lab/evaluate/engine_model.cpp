#include "core/lab/evaluate/engine_model.h"

#include "core/model/text/prompt.h"

namespace faststar {

GenerationSettings generation_of(const Config& config) {
  return {.repetitions = {config.schedule.image_repetitions, config.schedule.video_repetitions},
          .semantic_scales = config.schedule.semantic_scales,
          .guidance = {config.guidance.guidance_method, config.guidance.guidance, config.guidance.apg_norm_threshold},
          .tau_image = config.sampling.tau_image,
          .tau_video = config.sampling.tau_video};
}

TestedModel tested_model(Engine& engine, const Config& config) {
  const auto encode_text = [&engine, &config](const std::string& prompt) {
    const Texts texts{.prompt = video_prompt(prompt, config.prompt, config.generate.duration),
                      .limit = config.prompt.text_limit};
    return engine.encode_text(tokenize_texts(texts, engine.model())).cond;
  };
  const auto [width, height] = config.generate.aspect;
  TestedModel model{.transformer = engine.transformer(),
                    .vae = engine.vae(VaeParts::encoder_and_decoder),
                    .encode_text = encode_text,
                    .generation = generation_of(config),
                    .aspect_key = nearest_aspect_key(static_cast<double>(height) / width),
                    .pn = pn_of(config.generate.resolution),
                    .latents_per_clip = engine.setup().model.preset.latents_per_clip,
                    .detail_scale_min_tokens = config.schedule.detail_scale_min_tokens};
  model.generation.attention = engine.setup().attention;
  return model;
}

}  // namespace faststar
