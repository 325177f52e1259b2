#include "core/model/vae/architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

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

int64_t count_block_layers(const Weights& weights) {
  int64_t layers = 0;
  while (weights.has(fmt::format("encoder.down_blocks.0.resnets.{}.conv1.conv.weight", layers))) ++layers;
  return layers;
}

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
  found.layers_per_block = count_block_layers(weights);
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

}  // namespace faststar
