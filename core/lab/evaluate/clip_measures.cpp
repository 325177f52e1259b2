#include "core/lab/evaluate/clip_measures.h"

#include <ATen/ATen.h>

#include "core/lab/metrics/fidelity.h"
#include "core/model/pyramid/codes.h"
#include "core/model/pyramid/conditioning.h"
#include "core/model/vae/frames.h"

namespace faststar {
namespace {

/// Mean squared error in squared levels, weighted by `weights` [F, H, W, 1]. frames: uint8 [F, H, W, 3].
double weighted_mse(const Tensor& a, const Tensor& b, const Tensor& weights) {
  const Tensor squares = (a.to(at::kFloat) - b.to(at::kFloat)).square_();
  return ((squares * weights).sum(at::kDouble) / (weights.sum(at::kDouble) * a.size(3))).item<double>();
}

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

/// Continues every step with the true bits and counts what the model would have said.
class ForcedBits final : public GenerationObserver {
 public:
  ForcedBits(const std::vector<Tensor>& truth, std::vector<ScaleSum>& sums) : truth_(truth), sums_(sums) {}
  Tensor on_bits(const StepResult& result) override {
    const Tensor& wanted = truth_[static_cast<size_t>(result.step.index)];
    sums_[static_cast<size_t>(result.step.scale)].add(result.logits, wanted);
    return wanted;
  }

 private:
  const std::vector<Tensor>& truth_;
  std::vector<ScaleSum>& sums_;
};

}  // namespace

void ClipFidelitySum::add(const ClipBatch& rendered, const Tensor& decoded) {
  const Tensor original = to_frames(rendered.pixels);
  const Tensor frames = to_frames(decoded.unsqueeze(0));
  const Tensor mse = frame_mse(frames, original);
  sum_.psnr += psnr(mse.mean().item<double>());
  sum_.object_psnr += psnr(weighted_mse(frames, original, rendered.coverage[0].permute({1, 2, 3, 0})));
  sum_.ssim += frame_ssim(frames, original).mean().item<double>();
  frame_mse_ = frame_mse_.defined() ? frame_mse_ + mse : mse;
  ++clips_;
}

ClipFidelity ClipFidelitySum::mean() const {
  const auto clips = static_cast<double>(clips_);
  return {sum_.psnr / clips, sum_.object_psnr / clips, sum_.ssim / clips};
}

std::vector<double> ClipFidelitySum::frame_psnr() const {
  std::vector<double> values;
  for (int64_t i = 0; i < frame_mse_.size(0); ++i) {
    values.push_back(psnr(frame_mse_[i].item<double>() / static_cast<double>(clips_)));
  }
  return values;
}

Reconstruction measure_reconstruction(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                      int video_clips, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, video_clips);
  const int64_t frames = frames_of_latents(schedule.latent_frames());
  ClipFidelitySum plain, quantised;
  for (int64_t i = 0; i < count; ++i) {
    const ClipBatch clip = clips.render(clips.record(i), 0, frames);
    const Tensor features = model.vae.encode(clip.pixels);
    plain.add(clip, decode_frames(model, features));
    const auto bits = condition_bits(features, schedule, model.generation.repetitions, model.detail_scale_min_tokens);
    quantised.add(clip, decode_frames(model, accumulated_features(bits, schedule, model.generation.repetitions)));
    if (listener) listener(i + 1, count);
  }
  return {.clips = count,
          .frames = frames,
          .plain = plain.mean(),
          .quantised = quantised.mean(),
          .frame_psnr = quantised.frame_psnr()};
}

std::vector<ScaleScore> measure_bit_accuracy(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                             int video_clips, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, video_clips);
  TestedModel plain = model;
  plain.generation.guidance.scale = 1;
  std::vector<ScaleSum> sums(schedule.scales().size());
  for (int64_t i = 0; i < count; ++i) {
    const ClipBatch clip = clips.render(clips.record(i), 0, frames_of_latents(schedule.latent_frames()));
    const std::vector<Tensor> truth = bits_of(model, schedule, clip.pixels);
    ForcedBits forced(truth, sums);
    generate_codes(plain, schedule, {.prompt = clips.prompt(i), .observer = &forced});
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
