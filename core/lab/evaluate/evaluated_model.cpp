#include "core/lab/evaluate/evaluated_model.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/lab/world/scene.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

Schedule schedule_of_latents(const EvaluatedModel& model, int video_latents) {
  Schedule schedule =
      make_schedule(model.size.aspect_key, model.size.pn, 1 + video_latents, model.size.latents_per_clip);
  const Scale& full = schedule.full_scale(0);
  const int64_t height = full.h * kPixelsPerFeature, width = full.w * kPixelsPerFeature;
  if (height == kWorldHeight && width == kWorldWidth) return schedule;
  fail(ErrorKind::usage, fmt::format("evaluation: expected a model of {}x{} pixels, got {}x{}", kWorldWidth,
                                     kWorldHeight, width, height));
}

}  // namespace

EvaluatedModel evaluated_model(const Pipeline& pipeline, const Request& request,
                               std::function<TextFeatures(const std::string& prompt)> encode_text) {
  return {.pipeline = pipeline,
          .encode_text = std::move(encode_text),
          .generation = request.generation,
          .size = request.size,
          .detail_scale_min_tokens = request.detail_scale_min_tokens};
}

Schedule world_schedule(const EvaluatedModel& model, int video_clips) {
  return schedule_of_latents(model, video_clips * model.size.latents_per_clip);
}

Schedule half_clip_schedule(const EvaluatedModel& model) {
  return schedule_of_latents(model, model.size.latents_per_clip / 2);
}

std::vector<Tensor> bits_of(const EvaluatedModel& model, const Schedule& schedule, const Tensor& pixels) {
  return condition_bits(model.pipeline.encode(pixels), schedule, model.generation.repetitions,
                        model.detail_scale_min_tokens);
}

Tensor generate_video(const EvaluatedModel& model, const Schedule& schedule, const std::string& prompt, uint64_t seed,
                      const std::vector<Tensor>& given) {
  GenerationSettings settings = model.generation;
  settings.seed = seed;
  return model.pipeline.decode(
      model.pipeline.generate(schedule, settings, {.text = model.encode_text(prompt), .given_bits = given}));
}

}  // namespace faststar
