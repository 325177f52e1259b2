#pragma once
#include "core/model/vae/norm_conv.h"

namespace faststar {

/// x + conv2(silu(norm2(conv1(silu(norm1(x)))))), [B, T, H, W, C] -> the same.
/// Source: CogVideoXResnetBlock3D, infinity/models/videovae/models/wan_bsq_vae.py.
struct ResnetBlock {
  ResnetBlock(const VaeHalf& half, const std::string& prefix, int64_t channels);
  Tensor operator()(const Tensor& x, VideoPass& pass) const;

  NormConv first, second;
};

/// `<prefix>.resnets.0` to `<prefix>.resnets.<count - 1>`, one after the other.
struct ResnetStack {
  ResnetStack(const VaeHalf& half, const std::string& prefix, int64_t channels, int64_t count);
  Tensor operator()(Tensor x, VideoPass& pass) const;

  std::vector<ResnetBlock> blocks;
};

}  // namespace faststar
