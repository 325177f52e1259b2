#include "core/model/vae/decode_plan.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <vector>

namespace faststar {
namespace {

/// Residual blocks at one size, and the upsampler that leaves it.
struct DecoderStage {
  int64_t channels;
  int64_t resnets;
  int64_t side;         ///< pixels per latent, in height and in width
  int64_t frames;       ///< per latent frame
  int64_t up_channels;  ///< what the upsampler's convolution makes; 0 without one
};

/// The decoder from latents outwards: decoder.cpp.
std::vector<DecoderStage> decoder_stages(const VaeArchitecture& architecture) {
  const auto& channels = architecture.block_out_channels;
  const int64_t layers = architecture.layers_per_block + 1;
  return {{channels[4], 2 + layers, 1, 1, 0},
          {channels[3], layers, 1, 1, 4 * channels[2]},
          {channels[2], layers, 2, 1, 8 * channels[1]},
          {channels[1], layers, 4, 2, 8 * channels[0]}};
}

/// gamma, conv_y and conv_b.
int64_t spatial_norm_parameters(const VaeArchitecture& architecture, int64_t channels) {
  return channels + 2 * (architecture.latent_channels + 1) * channels;
}

int64_t stage_parameters(const VaeArchitecture& architecture, const DecoderStage& stage) {
  const int64_t layer =
      spatial_norm_parameters(architecture, stage.channels) + convolution_parameters(stage.channels, stage.channels);
  const int64_t up =
      stage.up_channels == 0 ? 0 : stage.channels + convolution_parameters(stage.channels, stage.up_channels);
  return 2 * stage.resnets * layer + up;
}

/// Frames in the longest slice where every latent frame but the video's first is `factor` frames.
int64_t slice_frames(const DecodeSize& size, const DecodeOptions& options, int64_t factor) {
  if (size.latents <= options.slice_latents) return factor * (size.latents - 1) + 1;
  return factor * options.slice_latents;
}

/// Elements of all last two frames that a stage's convolutions remember.
int64_t remembered_elements(const DecoderStage& stage, int64_t frame_elements) {
  const int64_t convolutions = 2 * stage.resnets + (stage.up_channels > 0 ? 1 : 0);
  return convolutions * kFramesRemembered * frame_elements;
}

/// The second convolution of a residual block: the block's input, the first one's output, the extended input
/// and the output, with what is remembered both old and new, and the factor and offset of the norm.
int64_t resnet_elements(int64_t frames, int64_t frame_elements, int64_t modulation_elements) {
  return (4 * frames + 2 * kFramesRemembered) * frame_elements + 2 * modulation_elements;
}

/// The upsampler: its input, and the convolution's output before and after it became pixels.
int64_t upsample_elements(const DecoderStage& stage, int64_t frames, int64_t frame_elements) {
  return frames * (frame_elements + 2 * frame_elements / stage.channels * stage.up_channels);
}

}  // namespace

int64_t decoder_parameter_count(const VaeArchitecture& architecture) {
  const auto& channels = architecture.block_out_channels;
  const int64_t features = architecture.feature_channels();
  int64_t count = features * features + features;  // proj_up
  count += convolution_parameters(architecture.latent_channels, channels.back());
  for (const auto& stage : decoder_stages(architecture)) count += stage_parameters(architecture, stage);
  return count + spatial_norm_parameters(architecture, channels.front()) +
         convolution_parameters(channels.front(), kColours);
}

double decode_flops(const VaeArchitecture& architecture, const DecodeSize& size) {
  const auto& channels = architecture.block_out_channels;
  const auto latent_pixels = static_cast<double>(4 * size.height * size.width * size.latents);
  double flops = convolution_flops(architecture.latent_channels, channels.back());
  for (const auto& stage : decoder_stages(architecture)) {
    const auto positions = static_cast<double>(stage.side * stage.side * stage.frames);
    flops += positions * (static_cast<double>(2 * stage.resnets) * convolution_flops(stage.channels, stage.channels) +
                          convolution_flops(stage.channels, stage.up_channels));
  }
  constexpr auto kPixels = static_cast<double>(kPixelsPerLatent * kPixelsPerLatent * kFramesPerLatent);
  return latent_pixels * (flops + kPixels * convolution_flops(channels.front(), kColours));
}

int64_t decode_peak_bytes(const VaeArchitecture& architecture, const DecodeSize& size, at::ScalarType dtype,
                          const DecodeOptions& options) {
  const int64_t latent_pixels = 4 * size.height * size.width;
  const int64_t latent_frame = latent_pixels * architecture.latent_channels;
  const int64_t slice_latents = slice_frames(size, options, 1);
  int64_t kept = (size.latents + kFramesRemembered) * latent_frame;  // the latents, and conv_in's memory of them
  int64_t widest = 0;
  for (const auto& stage : decoder_stages(architecture)) {
    const int64_t frame = latent_pixels * stage.side * stage.side * stage.channels;
    const int64_t frames = slice_frames(size, options, stage.frames);
    const int64_t modulation = slice_latents * latent_pixels * stage.channels;
    kept += remembered_elements(stage, frame);
    widest = std::max({widest, resnet_elements(frames, frame, modulation), upsample_elements(stage, frames, frame)});
  }
  const int64_t last_frame = latent_pixels * kPixelsPerLatent * kPixelsPerLatent * architecture.block_out_channels[0];
  const int64_t last_frames = slice_frames(size, options, kFramesPerLatent);
  kept += kFramesRemembered * last_frame;
  widest = std::max(widest, (2 * last_frames + 2 * kFramesRemembered) * last_frame);  // x, extended, remembered
  return (kept + widest) * static_cast<int64_t>(c10::elementSize(dtype));
}

}  // namespace faststar
