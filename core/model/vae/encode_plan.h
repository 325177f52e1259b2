#pragma once
#include "core/model/vae/architecture.h"

namespace faststar {

/// A video as the encoder gets it.
struct EncodeSize {
  int64_t height = 0;  ///< pixels
  int64_t width = 0;   ///< pixels
  int64_t frames = 1;
};

/// Frames that the encoder takes at a time, a multiple of kFramesPerLatent.
inline constexpr int64_t kEncodeSliceFrames = 8;

/// Numbers in the encoder and its projection: what VaeParts::encoder_and_decoder loads beside the decoder.
int64_t encoder_parameter_count(const VaeArchitecture& architecture);

/// Floating-point operations of an encode, convolutions only.
double encode_flops(const VaeArchitecture& architecture, const EncodeSize& size);

/// Most bytes that an encode holds beside its weights: pixels, what every convolution remembers between slices, and
/// the widest moment of a slice. All of it is float32. Counted from resnet_block.cpp, resample.cpp and encoder.cpp;
/// workspaces of the convolution library are not in it.
int64_t encode_peak_bytes(const VaeArchitecture& architecture, const EncodeSize& size);

}  // namespace faststar
