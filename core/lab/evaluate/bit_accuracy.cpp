#include "core/lab/evaluate/bit_accuracy.h"

#include <ATen/ATen.h>

#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// Sums over the bits of one scale.
struct ScaleSum {
  double right = 0;
  double nats = 0;
  double bits = 0;

  /// logits [1, t h w, 2 d]; truth [1, t, h, w, d] uint8.
  void add(const Tensor& logits, const Tensor& truth) {
    const Tensor pairs = logits[0].unflatten(-1, {-1, 2});
    const Tensor evidence = pairs.select(-1, 1) - pairs.select(-1, 0);  // [t h w, d], for a one
    const Tensor wanted = truth.reshape(evidence.sizes()).to(at::kFloat);
    right += ((evidence > 0) == (wanted > 0)).sum().item<double>();
    nats += at::binary_cross_entropy_with_logits(evidence, wanted, {}, {}, at::Reduction::Sum).item<double>();
    bits += static_cast<double>(wanted.numel());
  }
};

}  // namespace

std::vector<ScaleScore> measure_bit_accuracy(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                             int video_clips, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, video_clips);
  TestedModel plain = model;
  plain.generation.guidance.scale = 1;
  std::vector<ScaleSum> sums(schedule.scales().size());
  for (int64_t i = 0; i < count; ++i) {
    const ClipBatch clip = clips.render(clips.record(i), 0, frames_of_latents(schedule.latent_frames()));
    const std::vector<Tensor> truth = bits_of(model, schedule, clip.pixels);
    generate_codes(plain, schedule, {.prompt = clips.prompt(i), .observer = [&](const StepResult& result) {
                                       const Tensor& wanted = truth[static_cast<size_t>(result.step.index)];
                                       sums[static_cast<size_t>(result.step.scale)].add(result.logits, wanted);
                                       return wanted;
                                     }});
    if (listener) listener(i + 1, count);
  }
  std::vector<ScaleScore> scores;
  for (size_t k = 0; k < sums.size(); ++k) {
    scores.push_back({.clip = schedule.clip_of(static_cast<int>(k)),
                      .scale = schedule.scales()[k],
                      .accuracy = sums[k].right / sums[k].bits,
                      .nats = sums[k].nats / sums[k].bits});
  }
  return scores;
}

}  // namespace faststar
