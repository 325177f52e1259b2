#pragma once
#include <optional>

#include "core/model/vae/architecture.h"
#include "core/model/vae/resample.h"
#include "core/model/vae/resnet_block.h"

namespace faststar {

/// Latents to pixels. Source: CogVideoXDecoder3D, infinity/models/videovae/models/wan_bsq_vae.py (`decoder.` in the
/// checkpoint).
struct Decoder {
  Decoder(const VaeHalf& half, const VaeArchitecture& architecture);
  /// A slice of a video's latents [B, n, h, w, latent_channels] -> [B, F, 8h, 8w, 3]. At the video's start
  /// F = 1 + 4 (n-1), later F = 4 n.
  Tensor operator()(const Tensor& latents, VideoPass& pass) const;

  struct Block {
    ResnetStack resnets;
    std::optional<UpSample> up;
  };
  CausalConv3d conv_in;
  ResnetStack mid_block;
  std::vector<Block> up_blocks;
  NormConv out;
};

}  // namespace faststar
