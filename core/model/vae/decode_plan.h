#pragma once
#include "core/model/vae/architecture.h"

namespace faststar {

/// How much of a video is decoded at once: memory against speed. The result is the same for any value.
struct DecodeOptions {
  int64_t slice_latents = 2;  ///< latent frames a slice, at least 1; each makes 4 frames
};

/// A video as the decoder gets it.
struct DecodeSize {
  int64_t height = 0;   ///< of the features, 16 pixels each
  int64_t width = 0;    ///< of the features
  int64_t latents = 1;  ///< latent frames in all
};

/// Numbers in the decoder and its projection: the weights that VaeParts::decoder loads, but for the scale.
int64_t decoder_parameter_count(const VaeArchitecture& architecture);

/// Floating-point operations of a decode, convolutions only.
double decode_flops(const VaeArchitecture& architecture, const DecodeSize& size);

/// Most bytes that a decode in `dtype` holds beside its weights and features, with the fused norm: what every
/// convolution remembers between slices, the latents, and the widest moment of a slice. Counted from the
/// code of resnet_block.cpp, resample.cpp and decoder.cpp, tensor by tensor; workspaces of the convolution
/// library are not in it. The ATen reference of the norm needs up to 16 bytes an element more.
int64_t decode_peak_bytes(const VaeArchitecture& architecture, const DecodeSize& size, at::ScalarType dtype,
                          const DecodeOptions& options = {});

}  // namespace faststar
