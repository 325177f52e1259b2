#pragma once
#include <array>
#include <cstdint>

#include "core/base/weights/weights.h"

namespace faststar {

/// The sizes of a video VAE: four blocks of residual blocks with a resampler between neighbours.
/// Source: infinity/models/videovae/models/wan_bsq_vae.py; the defaults are the released checkpoint's.
struct VaeArchitecture {
  /// Channels of the encoder's blocks from full resolution inwards; the decoder has them in reverse.
  std::array<int64_t, 5> block_out_channels = {96, 192, 384, 384, 384};
  int64_t latent_channels = 16;  ///< at 1/8 of the pixels' height and width
  int64_t layers_per_block = 2;  ///< residual blocks of an encoder block; a decoder block has one more

  /// Channels of the features that the transformer predicts: 2x2 latent pixels each.
  int64_t feature_channels() const { return 4 * latent_channels; }
};

/// Pixels per feature, in height and in width.
inline constexpr int64_t kPixelsPerFeature = 16;
/// Pixels per latent, in height and in width.
inline constexpr int64_t kPixelsPerLatent = 8;
/// Frames per latent frame. The first latent frame is one frame.
inline constexpr int64_t kFramesPerLatent = 4;
/// Residual blocks of the middle block.
inline constexpr int64_t kMidBlockLayers = 2;
/// Channels of a pixel.
inline constexpr int64_t kRgb = 3;
/// Frames before its input that a causal convolution reads.
inline constexpr int64_t kFramesBefore = 2;

/// Pixels along an edge of `features` features.
constexpr int64_t pixels_of_features(int64_t features) { return kPixelsPerFeature * features; }
/// Frames of a video of `latents` latent frames, and the reverse.
constexpr int64_t frames_of_latents(int64_t latents) { return kFramesPerLatent * (latents - 1) + 1; }
constexpr int64_t latents_of_frames(int64_t frames) { return (frames - 1) / kFramesPerLatent + 1; }

/// The sizes, read from the shapes in a checkpoint. Throws Error(model) when a tensor that shows them is
/// missing or when they do not fit together.
VaeArchitecture detect_vae_architecture(const Weights& weights);

/// Throws Error(model), naming `origin`, when the VAE's shortcuts cannot join blocks of these widths.
void check_vae_architecture(const VaeArchitecture& architecture, const std::string& origin);

}  // namespace faststar
