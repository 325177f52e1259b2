#pragma once
#include <optional>

#include "core/base/tensor.h"

namespace faststar {

/// What the latents say to a norm: a factor and an offset a channel, at the latents' size [B, n, h, w, C].
struct Modulation {
  Tensor factor;
  Tensor offset;
};

/// silu(x / max(|x|, 1e-12) * sqrt(C) * gamma * factor + offset) with two frames before it, ready for a causal
/// convolution; |x| is the L2 norm over channels. Computed in float32, rounded once.
///
/// x [B, T, H, W, C] float32 or bfloat16; gamma [C] float32; modulation in the dtype of x, absent for a plain
/// norm. H / h = W / w is an integer: a latent speaks for a square of pixels and for T / n frames, but
/// at the video's start the first latent speaks for the first frame alone and the others for (T-1) / (n-1).
/// before [B, 2, H, W, C]: the two frames of the result that precede x; undefined at the video's start, where
/// the first frame of the result is repeated.
/// Returns [B, 2 + T, H, W, C], dtype and device of x. Throws c10::Error when shapes disagree.
/// Source: RMS_norm (modules/normalization_wan.py), CogVideoXSpatialNorm3D and CogVideoXCausalConv3d of
/// infinity/models/videovae. Nearest resizing and a 1x1 convolution commute, so that factor and offset need
/// not be computed at the size of x.
Tensor norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                 const Tensor& before);

namespace reference {
Tensor norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                 const Tensor& before);
}

}  // namespace faststar
