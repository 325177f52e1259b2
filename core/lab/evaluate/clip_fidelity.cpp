#include "core/lab/evaluate/clip_fidelity.h"

#include <ATen/ATen.h>

#include "core/lab/metrics/psnr.h"
#include "core/lab/metrics/ssim.h"
#include "core/model/vae/frames.h"

namespace faststar {
namespace {

/// Mean squared error in squared levels where `weights` [F, H, W, 1] are. frames: uint8 [F, H, W, 3].
double weighted_mse(const Tensor& a, const Tensor& b, const Tensor& weights) {
  const Tensor squares = (a.to(at::kFloat) - b.to(at::kFloat)).square_();
  return ((squares * weights).sum(at::kDouble) / (weights.sum(at::kDouble) * a.size(3))).item<double>();
}

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

}  // namespace faststar
