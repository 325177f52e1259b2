#pragma once
#include <c10/core/InferenceMode.h>

#include "core/base/weights/weights.h"
#include "core/lab/study/run_study.h"
#include "core/model/star/small_model.h"
#include "support/support.h"

namespace faststar::test {

/// A study of a random model and clips of nine frames of 48x64 pixels: a variant takes milliseconds on a CPU.
struct SmallStudy {
  explicit SmallStudy(const TempDir& folder, at::Device device = at::kCPU)
      : transformer({make_random_weights(1), device, at::kFloat}, kSmallModel),
        vae({make_random_weights(2), device, at::kFloat}, {.block_out_channels = {8, 16, 16, 16, 16}}),
        loaded(Networks{.transformer = &transformer, .vae = &vae}),
        pipeline(loaded),
        evaluated{
            .pipeline = pipeline,
            .encode_text =
                [this](const std::string& prompt) {
                  return TextFeatures{.cond = seeded_randn({6, kSmallModel.text_width},
                                                           std::hash<std::string>()(prompt), transformer.device())};
                },
            .generation = {.repetitions = {std::vector<int>(6, 1), {1, 1, 2, 1, 1, 1}},
                           .semantic_scales = 4,
                           .guidance = {.method = GuidanceMethod::cfg, .scale = 2}},
            .size = {.pn = "0.06M", .latents_per_clip = 2}},
        text(evaluated.encode_text("a red ball")),
        schedule(make_scales()),
        model{.evaluated = evaluated, .schedule = schedule, .setup = "setup"},
        job{.folder = folder / "study",
            .shard = {},
            .prompts = listed_prompts({"a red ball", "a blue star"}, 0),
            .variants = {variant("random", ReductionMethod::random), variant("skip", ReductionMethod::skip)}} {}

  /// Of an image clip and `video_clips` of two latent frames.
  static Schedule make_scales(size_t video_clips = 1) {
    std::vector<Scale> scales;
    std::vector<int> clips(1 + video_clips, 2);
    clips.front() = 1;
    for (const int frames : clips) {
      for (const auto& [h, w] : {std::pair{1, 1}, {1, 2}, {2, 2}, {2, 3}, {2, 4}, {3, 4}}) {
        scales.push_back({frames, h, w});
      }
    }
    return Schedule(std::move(scales));
  }

  static StudyVariant variant(const std::string& name, ReductionMethod method) {
    StudyVariant variant{.name = name};
    variant.reduction.method = method;
    variant.settings = {{"method", name}};
    return variant;
  }

  /// Of a clip of `text`.
  GenerationSettings settings(ReductionMethod method) const {
    GenerationSettings settings = evaluated.generation;
    settings.seed = 3;
    settings.reduction.method = method;
    return settings;
  }

  c10::InferenceMode inference;
  StarTransformer transformer;
  VideoVae vae;
  Model loaded;
  Pipeline pipeline;
  EvaluatedModel evaluated;
  TextFeatures text;
  Schedule schedule;
  StudyModel model;
  StudyJob job;
};

}  // namespace faststar::test
