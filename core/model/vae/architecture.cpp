#include "core/model/vae/architecture.h"

#include <c10/core/ScalarType.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/model/layers.h"

namespace faststar {
namespace {

/// The stored shape of a convolution [out, in, t, h, w]. Throws Error(model) for another rank.
std::vector<int64_t> convolution_shape(const Weights& weights, const std::string& name) {
  auto shape = weights.shape_of(name);
  if (shape.size() != 5) {
    fail(ErrorKind::model, fmt::format("{}: tensor {}: expected 5 dimensions, got {}", weights.source().origin(), name,
                                       shape_text(shape)));
  }
  return shape;
}

enum class Place { first, resnet, resampler, last };
enum class Norm { none, plain, conditioned };

/// A 3x3x3 convolution, with the norm before it.
struct Convolution {
  Place place;
  Norm norm;
  int64_t in, out;  ///< channels
  int64_t pixels;   ///< that a position stands for, in height and in width
  int64_t frames;   ///< that a position stands for; the video's first frame has one of its own
};

/// The convolutions of one half in the order in which they run.
using Network = std::vector<Convolution>;

void add_resnets(Network& network, Norm norm, int64_t count, int64_t channels, int64_t pixels, int64_t frames) {
  network.insert(network.end(), static_cast<size_t>(2 * count),
                 {Place::resnet, norm, channels, channels, pixels, frames});
}

Network encoder(const VaeArchitecture& architecture) {
  const auto& channels = architecture.block_out_channels;
  constexpr std::array<int64_t, 4> kPixels = {1, 2, 4, 8}, kFrames = {1, 2, 4, 4};
  Network network = {{Place::first, Norm::none, kRgb, channels[0], 1, 1}};
  for (size_t i = 0; i < 4; ++i) {
    add_resnets(network, Norm::plain, architecture.layers_per_block, channels[i], kPixels[i], kFrames[i]);
    if (i == 3) break;
    network.push_back({Place::resampler, Norm::plain, channels[i], channels[i + 1] / 4, kPixels[i], kFrames[i]});
  }
  add_resnets(network, Norm::plain, kMidBlockLayers, channels[4], kPixelsPerLatent, kFramesPerLatent);
  network.push_back(
      {Place::last, Norm::plain, channels[4], 2 * architecture.latent_channels, kPixelsPerLatent, kFramesPerLatent});
  return network;
}

Network decoder(const VaeArchitecture& architecture) {
  const auto& channels = architecture.block_out_channels;
  constexpr std::array<int64_t, 4> kPixels = {8, 8, 4, 2}, kFrames = {4, 4, 4, 2}, kTime = {1, 1, 2, 2};
  Network network = {
      {Place::first, Norm::none, architecture.latent_channels, channels[4], kPixelsPerLatent, kFramesPerLatent}};
  add_resnets(network, Norm::conditioned, kMidBlockLayers, channels[4], kPixelsPerLatent, kFramesPerLatent);
  for (size_t i = 0; i < 4; ++i) {
    add_resnets(network, Norm::conditioned, architecture.layers_per_block + 1, channels[4 - i], kPixels[i], kFrames[i]);
    if (i == 0) continue;
    network.push_back(
        {Place::resampler, Norm::plain, channels[4 - i], 4 * kTime[i] * channels[3 - i], kPixels[i], kFrames[i]});
  }
  network.push_back({Place::last, Norm::conditioned, channels[0], kRgb, 1, 1});
  return network;
}

int64_t parameter_count(const Network& network, const VaeArchitecture& architecture) {
  const int64_t features = architecture.feature_channels();
  int64_t count = features * features + features;  // the projection
  for (const Convolution& conv : network) {
    count += 27 * conv.in * conv.out + conv.out;
    if (conv.norm != Norm::none) count += conv.in;  // gamma
    if (conv.norm == Norm::conditioned)
      count += 2 * (architecture.latent_channels * conv.in + conv.in);  // factor, offset
  }
  return count;
}

/// Positions of the convolution in `frames` frames of the video from its start.
int64_t frames_at(const Convolution& conv, int64_t frames) { return (frames - 1) / conv.frames + 1; }
int64_t pixels_at(const Convolution& conv, const VideoShape& size) {
  return size.height / conv.pixels * (size.width / conv.pixels);
}

double flops(const Network& network, const VideoShape& size) {
  double sum = 0;
  for (const Convolution& conv : network) {
    sum += 2.0 * 27.0 * static_cast<double>(conv.in * conv.out) *
           static_cast<double>(frames_at(conv, size.frames) * pixels_at(conv, size));
  }
  return sum;
}

/// A video of `frames` frames, coded `size` frames at a time.
struct Slices {
  Slices(int64_t frames, int64_t size) : longest(std::min(frames, size)), count((frames + size - 1) / size) {}

  /// Elements of the last two frames that the convolutions remember. A single slice remembers nothing.
  int64_t remembered_elements(const Network& network, const VideoShape& shape) const {
    int64_t sum = 0;
    for (const Convolution& conv : network) sum += kFramesBefore * pixels_at(conv, shape) * conv.in;
    return count > 1 ? sum : 0;
  }

  int64_t longest, count;
};

}  // namespace

VaeArchitecture detect_vae_architecture(const Weights& weights) {
  VaeArchitecture found;
  auto& channels = found.block_out_channels;
  for (size_t block = 0; block < 3; ++block) {
    const auto down = fmt::format("encoder.down_blocks.{}.downsamplers.0.conv.conv.conv.weight", block);
    const auto shape = convolution_shape(weights, down);
    channels[block] = shape[1];
    channels[block + 1] = 4 * shape[0];  // a 2x2 patch of its outputs becomes one pixel
  }
  const auto inner = convolution_shape(weights, "decoder.conv_in.conv.weight");
  channels[4] = inner[0];
  found.latent_channels = inner[1];
  found.layers_per_block = count_layers(weights, "encoder.down_blocks.0.resnets.", ".conv1.conv.weight");
  check_vae_architecture(found, weights.source().origin());
  return found;
}

void check_vae_architecture(const VaeArchitecture& architecture, const std::string& origin) {
  const auto& channels = architecture.block_out_channels;
  bool fits = channels[3] == channels[4] && architecture.latent_channels > 0 && architecture.layers_per_block > 0;
  for (size_t block = 0; fits && block < 3; ++block) {
    const int64_t outer = channels[block];
    const int64_t inner = channels[block + 1];
    fits = outer > 0 && inner % 4 == 0 && (inner == outer || inner == 2 * outer || inner == 4 * outer);
  }
  if (fits) return;
  fail(ErrorKind::model,
       fmt::format("{}: block widths: expected each to be 1, 2 or 4 times the one before and the last two "
                   "to be equal, got {} with {} latent channels and {} layers per block",
                   origin, fmt::join(channels, ", "), architecture.latent_channels, architecture.layers_per_block));
}

int64_t decoder_parameter_count(const VaeArchitecture& architecture) {
  return parameter_count(decoder(architecture), architecture);
}

int64_t encoder_parameter_count(const VaeArchitecture& architecture) {
  return parameter_count(encoder(architecture), architecture);
}

double decode_flops(const VaeArchitecture& architecture, const VideoShape& size) {
  return flops(decoder(architecture), size);
}

double encode_flops(const VaeArchitecture& architecture, const VideoShape& size) {
  return flops(encoder(architecture), size);
}

int64_t decode_peak_bytes(const VaeArchitecture& architecture, const VideoShape& size, at::ScalarType dtype,
                          const DecodeOptions& options) {
  const Network network = decoder(architecture);
  const int64_t latents = latents_of_frames(size.frames);
  const int64_t latent_pixels = pixels_at(network.front(), size);
  // Only the first slice has the frame that is a latent frame of its own, and it is the longest only when it is alone.
  const Slices slices = latents <= options.slice_latents
                            ? Slices(size.frames, size.frames)
                            : Slices(kFramesPerLatent * latents, kFramesPerLatent * options.slice_latents);
  int64_t largest = 0;
  for (const Convolution& conv : network) {
    const int64_t pixels = pixels_at(conv, size), frames = frames_at(conv, slices.longest);
    const int64_t in = pixels * conv.in, out = pixels * conv.out;
    const int64_t modulation = 2 * latents_of_frames(slices.longest) * latent_pixels * conv.in;  // factor, offset
    int64_t held = 0;
    switch (conv.place) {
      case Place::first: break;
      // The second of a residual block: the block's input, the first one's output, the extended input and the output.
      // As much in a first one whose norm adds what the block before left: its output and residual, the sum, the
      // extended.
      case Place::resnet: held = (4 * frames + kFramesBefore) * in + modulation; break;
      // The input, and the output before and after it became pixels.
      case Place::resampler: held = frames * (in + 2 * out); break;
      // The input, the extended input and the output.
      case Place::last: held = (2 * frames + kFramesBefore) * in + frames * out + modulation; break;
    }
    largest = std::max(largest, held);
  }
  const int64_t kept =
      latents * latent_pixels * architecture.latent_channels + slices.remembered_elements(network, size);
  return (kept + largest) * static_cast<int64_t>(c10::elementSize(dtype));
}

int64_t encode_peak_bytes(const VaeArchitecture& architecture, const VideoShape& size) {
  const Network network = encoder(architecture);
  const Slices slices(size.frames, kEncodeSliceFrames);
  int64_t largest = 0;
  for (const Convolution& conv : network) {
    if (conv.place != Place::resnet) continue;
    // As in the decoder; and the workspace.
    const int64_t in = pixels_at(conv, size) * conv.in;
    largest = std::max(largest, ((4 + 3) * frames_at(conv, slices.longest) + kFramesBefore) * in);
  }
  constexpr int64_t kCopies = 2;  // the pixels as given, and with channels last
  const int64_t kept =
      kCopies * kRgb * size.frames * size.height * size.width + slices.remembered_elements(network, size);
  return (kept + largest) * static_cast<int64_t>(sizeof(float));
}

}  // namespace faststar
