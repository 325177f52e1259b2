#pragma once
#include <ATen/ATen.h>

#include <filesystem>

#include "core/base/weights/weights.h"
#include "core/model/vae/video_vae.h"
#include "support/support.h"

namespace faststar::test {

/// One tensor of a golden safetensors file, on `device`.
inline Tensor golden_tensor(const std::string& file, const std::string& name, at::Device device = at::kCPU) {
  return open_checkpoint(golden_dir() / file)->read(name, {}, at::kCPU).clone().to(device);
}

inline Weights golden_vae_weights(at::Device device, at::ScalarType dtype = at::kFloat) {
  return Weights(open_checkpoint(golden_dir() / "vae_weights.pth"), device, dtype);
}

/// The VAE of the parity set, block_out_channels 8, 16, 16, 16, 16.
inline VideoVae golden_vae(at::Device device, at::ScalarType dtype = at::kFloat) {
  const Weights weights = golden_vae_weights(device, dtype);
  return VideoVae(weights, detect_vae_architecture(weights));
}

inline Tensor decode_whole(const VideoVae& vae, const Tensor& features, const DecodeOptions& options = {}) {
  std::vector<Tensor> slices;
  vae.decode(
      features, [&](const Tensor& frames) { slices.push_back(frames); }, options);
  return at::cat(slices, 2);
}

}  // namespace faststar::test
