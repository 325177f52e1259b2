#pragma once
#include <optional>

#include "core/model/vae/architecture.h"
#include "core/model/vae/resample.h"
#include "core/model/vae/resnet_block.h"

namespace faststar {

/// Pixels to the posterior's mean and log-variance. Source: CogVideoXEncoder3D,
/// infinity/models/videovae/models/wan_bsq_vae.py (`encoder.` in the checkpoint).
struct Encoder {
  Encoder(const VaeHalf& half, const VaeArchitecture& architecture);
  /// A slice of a video [B, F, H, W, 3] -> [B, T, H/8, W/8, 2 * latent_channels]. At the video's start
  /// F = 1 + 4 (T-1), later F = 4 T.
  Tensor operator()(const Tensor& pixels, VideoPass& pass) const;

  struct Block {
    ResnetStack resnets;
    std::optional<DownSample> down;
  };
  CausalConv3d conv_in;
  std::vector<Block> down_blocks;
  ResnetStack mid_block;
  NormConv out;
};

}  // namespace faststar
