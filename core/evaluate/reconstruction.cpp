#include "core/evaluate/reconstruction.h"

#include <ATen/ATen.h>

#include "core/metrics/psnr.h"
#include "core/metrics/ssim.h"
#include "core/pyramid/conditioning.h"
#include "core/vae/frames.h"

namespace faststar {
namespace {

/// Mean squared error in squared levels where `weights` [F, H, W, 1] are. frames: uint8 [F, H, W, 3].
double weighted_mse(const Tensor& a, const Tensor& b, const Tensor& weights) {
  const Tensor squares = (a.to(at::kFloat) - b.to(at::kFloat)).square_();
  return ((squares * weights).sum(at::kDouble) / (weights.sum(at::kDouble) * a.size(3))).item<double>();
}

/// A clip as it was rendered.
struct Original {
  Tensor frames;    // uint8 [F, H, W, 3]
  Tensor coverage;  // [F, H, W, 1]
};

/// Sums over clips.
class FidelitySum {
 public:
  void add(const Original& original, const Tensor& decoded) {
    const Tensor frames = to_frames(decoded.unsqueeze(0));
    const Tensor mse = frame_mse(frames, original.frames);
    sum_.psnr += psnr(mse.mean().item<double>());
    sum_.object_psnr += psnr(weighted_mse(frames, original.frames, original.coverage));
    sum_.ssim += frame_ssim(frames, original.frames).mean().item<double>();
    frame_mse_ = frame_mse_.defined() ? frame_mse_ + mse : mse;
    ++clips_;
  }

  Fidelity mean() const {
    const auto clips = static_cast<double>(clips_);
    return {sum_.psnr / clips, sum_.object_psnr / clips, sum_.ssim / clips};
  }

  std::vector<double> frame_psnr() const {
    std::vector<double> values;
    for (int64_t i = 0; i < frame_mse_.size(0); ++i) {
      values.push_back(psnr(frame_mse_[i].item<double>() / static_cast<double>(clips_)));
    }
    return values;
  }

 private:
  Fidelity sum_;
  Tensor frame_mse_;  // [F] float64
  int64_t clips_ = 0;
};

}  // namespace

Reconstruction measure_reconstruction(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                      int video_clips, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, video_clips);
  const int64_t frames = frames_of_latents(schedule.latent_frames());
  FidelitySum plain, quantised;
  for (int64_t i = 0; i < count; ++i) {
    const ClipBatch clip = clips.render(clips.record(i), 0, frames);
    const Original original{to_frames(clip.pixels), clip.coverage[0].permute({1, 2, 3, 0})};
    const Tensor features = model.vae.encode(clip.pixels);
    plain.add(original, decode_frames(model, features));
    const auto bits = condition_bits(features, schedule, model.generation.repetitions, model.detail_scale_min_tokens);
    quantised.add(original, decode_frames(model, sum_codes(bits, schedule, model.generation.repetitions)));
    if (listener) listener(i + 1, count);
  }
  return {.clips = count,
          .frames = frames,
          .plain = plain.mean(),
          .quantised = quantised.mean(),
          .frame_psnr = quantised.frame_psnr()};
}

}  // namespace faststar
