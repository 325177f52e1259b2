#pragma once
#include <unordered_map>

#include "core/base/weights/weights.h"

// Note [Layout in the VAE]
// Every activation is [B, T, H, W, C], contiguous: channels are innermost in memory, which is what the fast
// convolutions of cuDNN and oneDNN want (their NDHWC, torch's channels_last_3d) and what norms over channels
// read in one sweep. Frames of one video are then contiguous blocks, so that slicing in time copies nothing.
// Only VideoVae's own interface is in torch's [B, C, T, H, W], as views of the same memory.

namespace faststar {

struct CausalConv3d;

/// One half of a VAE as its layers load it.
struct VaeHalf {
  const Weights& weights;
  at::ScalarType dtype;         ///< of convolutions and activations; norms are float32 throughout
  int64_t latent_channels = 0;  ///< of the latents that condition the norms (decoder); 0 where none do
};

/// One video on its way through one half, slice by slice. Layers are const; what one slice leaves to the next
/// is kept here.
struct VideoPass {
  bool at_start = true;  ///< this slice begins with the video's first frame, which stands for itself alone
  bool at_end = false;   ///< this slice ends the video: nothing has to be remembered
  Tensor latents;        ///< [B, n, h, w, latent_channels]: the decoder's input slice, conditions its norms
  /// The last two frames that a convolution read, [B, 2, H, W, C].
  std::unordered_map<const CausalConv3d*, Tensor> history;

  /// The frames before this slice in what `convolution` reads; undefined at the start.
  Tensor frames_before(const CausalConv3d& convolution) const;
};

/// x [B, T, H, W, C] with two frames before it: `before` [B, 2, H, W, C] or, when that is undefined, the first
/// frame twice. Returns [B, 2 + T, H, W, C].
Tensor extend_in_time(const Tensor& x, const Tensor& before);

/// 3x3x3 convolution that sees no later frame; height and width are padded with zeros.
/// Source: CogVideoXCausalConv3d, infinity/models/videovae/modules/conv_wan.py.
struct CausalConv3d {
  /// Reads `<prefix>.conv.weight` [out, in, 3, 3, 3] and `<prefix>.conv.bias` [out].
  CausalConv3d(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out);

  /// extended [B, 2 + T, H, W, in] (extend_in_time) -> [B, T, H, W, out]. Keeps the last two frames in `pass`
  /// unless the video ends here.
  Tensor operator()(const Tensor& extended, VideoPass& pass) const;

  Tensor weight;  // [out, in, 3, 3, 3], channels innermost
  Tensor bias;    // [out]
};

}  // namespace faststar
