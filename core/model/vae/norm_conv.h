#pragma once
#include "core/model/vae/causal_conv3d.h"
#include "core/model/vae/norm_silu.h"

namespace faststar {

/// 1x1x1 convolution: `<prefix>.conv.weight` [out, in, 1, 1, 1] and `<prefix>.conv.bias` [out].
struct PointwiseConv {
  PointwiseConv(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out);
  /// x [..., in] -> [..., out].
  Tensor operator()(const Tensor& x) const;

  Tensor weight;  // [out, in, 1, 1, 1]
  Tensor bias;    // [out]
};

/// The weights of a norm over channels: of RMS_norm, and in the decoder of the spatial norm around it.
struct ChannelNorm {
  /// RMS_norm: `<prefix>.gamma`.
  static ChannelNorm plain(const VaeHalf& half, const std::string& prefix, int64_t channels);
  /// What the half's residual blocks use: RMS_norm in the encoder; in the decoder the spatially conditioned
  /// norm `<prefix>.norm_layer.gamma`, `<prefix>.conv_y` and `<prefix>.conv_b`.
  static ChannelNorm of_half(const VaeHalf& half, const std::string& prefix, int64_t channels);

  /// Factor and offset from latents [B, n, h, w, latent_channels]; nothing for a plain norm.
  std::optional<Modulation> modulation(const Tensor& latents) const;

  Tensor gamma;                         // [C, 1, 1, 1] float32
  std::optional<PointwiseConv> factor;  // conv_y
  std::optional<PointwiseConv> offset;  // conv_b
};

/// convolution(silu(norm(x))), the only way the VAE uses either but for its first layers.
struct NormConv {
  /// x [B, T, H, W, in] -> [B, T, H, W, out].
  Tensor operator()(const Tensor& x, VideoPass& pass) const;

  ChannelNorm norm;
  CausalConv3d conv;
};

}  // namespace faststar
