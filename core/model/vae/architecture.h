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
  bool operator==(const VaeArchitecture&) const = default;
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

// What encoding and decoding cost, known before any weight is loaded. Listed by hand from video_vae.cpp and layers.cpp;
// the tests compare it with real runs.

/// A video in pixels: what the encoder reads or the decoder makes.
struct VideoShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t frames = 1;
};

/// How much of a video is decoded at once: memory against speed. The result is the same for any value.
struct DecodeOptions {
  int64_t slice_latents = 2;  ///< latent frames per slice, at least 1; each makes 4 frames
};

/// Frames that the encoder reads at a time, a multiple of kFramesPerLatent.
inline constexpr int64_t kEncodeSliceFrames = 8;

/// Parameters of the decoder and its projection: what VaeParts::decoder loads, without the scale.
int64_t decoder_parameter_count(const VaeArchitecture& architecture);
/// Parameters of the encoder and its projection: what VaeParts::encoder_and_decoder loads besides.
int64_t encoder_parameter_count(const VaeArchitecture& architecture);

/// Floating-point operations of the 3x3x3 convolutions of a decode or an encode.
double decode_flops(const VaeArchitecture& architecture, const VideoShape& size);
double encode_flops(const VaeArchitecture& architecture, const VideoShape& size);

/// The most bytes that a decode in `dtype` holds besides its weights and features, with the fused norm: the latents,
/// the frames that convolutions remember between slices, and the largest moment of a slice. Without the workspaces of
/// the convolution library. The ATen reference of the norm needs up to 16 bytes per element more.
int64_t decode_peak_bytes(const VaeArchitecture& architecture, const VideoShape& size, at::ScalarType dtype,
                          const DecodeOptions& options = {});

/// The same for a float32 encode, with the pixels and with the workspace that float32 convolutions take on a GPU:
/// three times their input (measured, tests/bench/NOTES.md).
int64_t encode_peak_bytes(const VaeArchitecture& architecture, const VideoShape& size);

}  // namespace faststar
