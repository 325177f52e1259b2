#include "core/model/vae/encode_plan.h"

#include <algorithm>
#include <vector>

namespace faststar {
namespace {

/// Residual blocks at one size, and the downsampler that leaves it.
struct EncoderStage {
  int64_t channels;
  int64_t resnets;
  int64_t shrink;         ///< pixels per position, in height and in width
  int64_t frames;         ///< per position
  int64_t down_channels;  ///< what the downsampler's convolution makes; 0 without one
};

/// The encoder from pixels inwards: encoder.cpp.
std::vector<EncoderStage> encoder_stages(const VaeArchitecture& architecture) {
  const auto& channels = architecture.block_out_channels;
  const int64_t layers = architecture.layers_per_block;
  return {{channels[0], layers, 1, 1, channels[1] / 4},
          {channels[1], layers, 2, 2, channels[2] / 4},
          {channels[2], layers, 4, 4, channels[3] / 4},
          {channels[3], layers, 8, 4, 0},
          {channels[4], kMidBlockLayers, 8, 4, 0}};
}

}  // namespace

int64_t encoder_parameter_count(const VaeArchitecture& architecture) {
  const auto& channels = architecture.block_out_channels;
  const int64_t features = architecture.feature_channels();
  int64_t count = features * features + features + convolution_parameters(kColours, channels.front()) +
                  channels.back() + convolution_parameters(channels.back(), 2 * architecture.latent_channels);
  for (const EncoderStage& stage : encoder_stages(architecture)) {
    count += 2 * stage.resnets * (stage.channels + convolution_parameters(stage.channels, stage.channels));
    if (stage.down_channels > 0) count += stage.channels + convolution_parameters(stage.channels, stage.down_channels);
  }
  return count;
}

double encode_flops(const VaeArchitecture& architecture, const EncodeSize& size) {
  const auto& channels = architecture.block_out_channels;
  const auto pixels = static_cast<double>(size.height * size.width);
  double flops = static_cast<double>(size.frames) * convolution_flops(kColours, channels.front());
  for (const EncoderStage& stage : encoder_stages(architecture)) {
    const auto frames = static_cast<double>((size.frames - 1) / stage.frames + 1);  // the first one stays alone
    const auto positions = frames / static_cast<double>(stage.shrink * stage.shrink);
    flops += positions * (static_cast<double>(2 * stage.resnets) * convolution_flops(stage.channels, stage.channels) +
                          convolution_flops(stage.channels, stage.down_channels));
  }
  return pixels * flops;
}

int64_t encode_peak_bytes(const VaeArchitecture& architecture, const EncodeSize& size) {
  const int64_t slice = std::min(size.frames, kEncodeSliceFrames);
  int64_t kept = 2 * kColours * size.frames * size.height * size.width;  // as given, and with channels last
  int64_t widest = 0;
  for (const EncoderStage& stage : encoder_stages(architecture)) {
    const int64_t frame = size.height * size.width / (stage.shrink * stage.shrink) * stage.channels;
    const int64_t frames = (slice + stage.frames - 1) / stage.frames;
    kept += (2 * stage.resnets + (stage.down_channels > 0 ? 1 : 0)) * kFramesRemembered * frame;
    // A residual block's second convolution: its input, the first one's output, the extended input, the output; and
    // what float32 convolutions take to work in, three inputs (measured, tests/bench/NOTES.md).
    widest = std::max(widest, (7 * frames + 2 * kFramesRemembered) * frame);
  }
  return (kept + widest) * static_cast<int64_t>(sizeof(float));
}

}  // namespace faststar
