#include "core/lab/train/star_samples.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/lab/evaluate/contact_sheet.h"

namespace faststar {
namespace {

constexpr int64_t kFramesShown = 5;

/// An image clip and `video_clips` clips of `latents` latent frames.
Schedule schedule_of(const PyramidShape& pyramid, int latents, int video_clips) {
  std::vector<Scale> scales;
  for (int clip = 0; clip <= video_clips; ++clip) {
    for (const Scale& scale : pyramid.scales) scales.push_back({clip == 0 ? 1 : latents, scale.h, scale.w});
  }
  return Schedule(std::move(scales));
}

}  // namespace

StarSamples::StarSamples(const TrainSetting& setting, const StarPlan& plan, const Tokenizer& tokenizer,
                         int64_t longest_text)
    : setting_(setting), plan_(plan) {
  const uint64_t seed = held_out_seed(0);
  for (int64_t i = 0; i < setting.sample_clips; ++i) {
    const std::string caption = setting.world.caption(setting.world.draw(seed, i), seed, i);
    captions_ += caption + "\n";
    ids_.push_back(at::tensor(tokenizer.encode(caption, longest_text).ids, at::kLong));
  }
}

Tensor StarSamples::sheet(const BoundParameters& parameters, const VideoVae& vae, int video_clips) const {
  const c10::NoGradGuard no_grad;
  const StarTransformer star({parameters.source(kStarPrefix), setting_.device, setting_.dtype}, plan_.star);
  const T5Encoder t5({parameters.source(kT5Prefix), setting_.device, setting_.dtype}, plan_.t5);
  const Schedule schedule = schedule_of(plan_.pyramid, plan_.latents_per_clip, video_clips);
  std::vector<Tensor> clips;
  for (const Tensor& ids : ids_) {
    GenerationSettings settings = plan_.generation;
    settings.seed = static_cast<uint64_t>(clips.size());
    Generator generator(star, schedule, settings);
    generator.set_text({t5(ids), star.unconditional_text(ids.size(0))});
    std::vector<Tensor> frames;
    vae.decode(generator.run(), [&](const Tensor& part) { frames.push_back(part[0].to(at::kFloat)); });
    clips.push_back(at::cat(frames, 1));
  }
  return contact_sheet(clips, kFramesShown, /*columns=*/2);
}

}  // namespace faststar
