#pragma once
#include <optional>
#include <utility>

#include "core/base/tensor.h"

namespace faststar {

/// How the latents modulate a norm: a factor and an offset for each channel, at the latents' size [B, n, h, w, C].
struct Modulation {
  Tensor factor;
  Tensor offset;
};

/// A convolution's output with what is still to be added to it. The kernel that reads it next adds on the way; ATen
/// would pass over the whole tensor once more for each. A tensor is one to which nothing is to be added.
struct DeferredSum {
  DeferredSum(Tensor output, Tensor bias = {}, Tensor residual = {})
      : output(std::move(output)), bias(std::move(bias)), residual(std::move(residual)) {}
  bool is_pending() const { return bias.defined() || residual.defined(); }
  /// output + bias + residual, rounded once to the dtype of output.
  Tensor total() const;

  Tensor output;    // [B, T, H, W, C]
  Tensor bias;      // [C], dtype of output; undefined: none
  Tensor residual;  // as output; undefined: none
};

/// x [B, T, H, W, C] with two frames before it: `before` [B, 2, H, W, C] or, when that is undefined, the first
/// frame twice. Returns [B, 2 + T, H, W, C].
Tensor extend_in_time(const Tensor& x, const Tensor& before);

/// silu(x / max(|x|, 1e-12) * sqrt(C) * gamma * factor + offset) with two frames before it, ready for a causal
/// convolution; |x| is the L2 norm over channels. Computed in float32, rounded once.
///
/// x [B, T, H, W, C] float32 or bfloat16; gamma [C] float32; modulation in the dtype of x, absent for a plain
/// norm. H / h = W / w is an integer: a latent covers a square of pixels and T / n frames, but at the video's
/// start the first latent covers the first frame alone and the others (T-1) / (n-1) frames each.
/// before [B, 2, H, W, C]: the two frames of the result that precede x; undefined at the video's start, where
/// the first frame of the result is repeated.
/// Returns [B, 2 + T, H, W, C], dtype and device of x. Throws c10::Error when shapes disagree.
/// Source: RMS_norm (modules/normalization_wan.py), CogVideoXSpatialNorm3D and CogVideoXCausalConv3d of
/// infinity/models/videovae. Nearest resizing and a 1x1 convolution commute, so that factor and offset need
/// not be computed at the size of x. On a GPU a kernel computes the op and another one its gradients.
Tensor norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                 const Tensor& before);

/// norm_silu of a sum, and the sum itself where it is wanted.
struct NormedSum {
  Tensor extended;  // [B, 2 + T, H, W, C]
  Tensor sum;       // [B, T, H, W, C]; undefined unless kept
};
enum class KeepSum { no, yes };
/// One kernel for both, unless gradients are recorded.
NormedSum norm_silu_of_sum(const DeferredSum& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                           const Tensor& before, KeepSum keep);

namespace reference {
/// The same in plain ATen, on any device.
Tensor norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                 const Tensor& before);
}  // namespace reference

}  // namespace faststar
