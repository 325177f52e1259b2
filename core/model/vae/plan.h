#pragma once
#include "core/model/vae/architecture.h"

// What encoding and decoding cost, known before any weight is loaded. Listed by hand from encoder_decoder.cpp and
// layers.cpp; the tests compare it with real runs.

namespace faststar {

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
