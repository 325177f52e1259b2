#pragma once
#include <optional>
#include <vector>

#include "core/model/vae/architecture.h"
#include "core/model/vae/layers.h"

namespace faststar {

/// Residual blocks of one size and the resampler (DownSample or UpSample) that leads to the next size, if any.
template <typename Resampler>
struct VaeBlock {
  Tensor operator()(Tensor x, VideoPass& pass) const;

  ResnetStack resnets;
  std::optional<Resampler> resampler;
};

/// Pixels to the posterior's mean and log-variance. Source: CogVideoXEncoder3D,
/// infinity/models/videovae/models/wan_bsq_vae.py (`encoder.` in the checkpoint).
struct Encoder {
  Encoder(const VaeHalf& half, const VaeArchitecture& architecture);
  /// A slice of a video [B, F, H, W, 3] -> [B, T, H/8, W/8, 2 * latent_channels]. At the video's start
  /// F = 1 + 4 (T-1), later F = 4 T.
  Tensor operator()(const Tensor& pixels, VideoPass& pass) const;

  CausalConv3d conv_in;
  std::vector<VaeBlock<DownSample>> down_blocks;
  ResnetStack mid_block;
  NormConv out;
};

/// Latents to pixels. Source: CogVideoXDecoder3D, infinity/models/videovae/models/wan_bsq_vae.py (`decoder.` in the
/// checkpoint).
struct Decoder {
  Decoder(const VaeHalf& half, const VaeArchitecture& architecture);
  /// A slice of a video's latents [B, n, h, w, latent_channels] -> [B, F, 8h, 8w, 3]. At the video's start
  /// F = 1 + 4 (n-1), later F = 4 n.
  Tensor operator()(const Tensor& latents, VideoPass& pass) const;

  CausalConv3d conv_in;
  ResnetStack mid_block;
  std::vector<VaeBlock<UpSample>> up_blocks;
  NormConv out;
};

}  // namespace faststar
