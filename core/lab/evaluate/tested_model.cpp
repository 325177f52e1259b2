#include "core/lab/evaluate/tested_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/lab/world/scene.h"
#include "core/model/pyramid/conditioning.h"

namespace faststar {
namespace {

Schedule schedule_of_latents(const TestedModel& model, int video_latents) {
  Schedule schedule = make_schedule(model.aspect_key, model.pn, 1 + video_latents, model.latents_per_clip);
  const Scale& full = schedule.full_scale(0);
  const int64_t height = full.h * kPixelsPerFeature, width = full.w * kPixelsPerFeature;
  if (height == kWorldHeight && width == kWorldWidth) return schedule;
  fail(ErrorKind::usage, fmt::format("evaluation: expected a model of {}x{} pixels, got {}x{}", kWorldWidth,
                                     kWorldHeight, width, height));
}

}  // namespace

Schedule schedule_of(const TestedModel& model, int video_clips) {
  return schedule_of_latents(model, video_clips * model.latents_per_clip);
}

Schedule half_clip_schedule(const TestedModel& model) { return schedule_of_latents(model, model.latents_per_clip / 2); }

std::vector<Tensor> bits_of(const TestedModel& model, const Schedule& schedule, const Tensor& pixels) {
  const Tensor features = model.vae.encode(pixels.to(model.device()));
  return condition_bits(features, schedule, model.generation.repetitions, model.detail_scale_min_tokens);
}

Tensor generate_codes(const TestedModel& model, const Schedule& schedule, const GenerationRequest& request) {
  GenerationSettings settings = model.generation;
  settings.seed = request.seed;
  return generate(model.transformer, schedule, settings,
                  {.text = {.cond = model.encode_text(request.prompt)}, .given_bits = request.given}, request.observer);
}

Tensor decode_frames(const TestedModel& model, const Tensor& codes) {
  std::vector<Tensor> slices;
  model.vae.decode(codes, [&](const Tensor& frames) { slices.push_back(frames[0].to(at::kFloat)); });
  return at::cat(slices, 1);
}

}  // namespace faststar
