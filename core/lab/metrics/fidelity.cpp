#include "core/lab/metrics/fidelity.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/lab/metrics/ssim.h"

namespace faststar {
namespace {

nlohmann::ordered_json number_or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

std::vector<FrameFidelity> measure_fidelity(const Tensor& a, const Tensor& b, const Lpips* lpips) {
  const Tensor mse = frame_mse(a, b);
  const Tensor ssim = frame_ssim(a, b);
  const Tensor distance = lpips != nullptr ? (*lpips)(a, b) : Tensor();
  std::vector<FrameFidelity> frames(static_cast<size_t>(a.size(0)));
  for (int64_t i = 0; i < a.size(0); ++i) {
    FrameFidelity& frame = frames[static_cast<size_t>(i)];
    frame.mse = mse[i].item<double>();
    frame.ssim = ssim[i].item<double>();
    if (lpips != nullptr) frame.lpips = distance[i].item<double>();
  }
  return frames;
}

VideoFidelity summarize_fidelity(const std::vector<FrameFidelity>& frames) {
  std::vector<double> mse;
  double ssim = 0, lpips = 0;
  for (const FrameFidelity& frame : frames) {
    mse.push_back(frame.mse);
    ssim += frame.ssim;
    lpips += frame.lpips.value_or(0);
  }
  const auto count = static_cast<double>(frames.size());
  VideoFidelity fidelity{.psnr = summarize_psnr(mse), .ssim_mean = ssim / count};
  if (frames.front().lpips) fidelity.lpips_mean = lpips / count;
  return fidelity;
}

std::string to_json(const VideoFidelity& fidelity) {
  nlohmann::ordered_json json;
  json["frames"] = fidelity.psnr.frames;
  json["psnr_pooled"] = number_or_null(fidelity.psnr.pooled);
  json["psnr_mean"] = number_or_null(fidelity.psnr.mean);
  json["ssim_mean"] = fidelity.ssim_mean;
  json["lpips_mean"] = number_or_null(fidelity.lpips_mean);
  json["identical_frames"] = fidelity.psnr.identical_frames;
  return json.dump();
}

}  // namespace faststar
