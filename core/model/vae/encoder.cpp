#include "core/model/vae/encoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

namespace faststar {
namespace {

std::vector<Encoder::Block> load_down_blocks(const VaeHalf& half, const VaeArchitecture& architecture) {
  constexpr std::array<TimeFactor, 3> kTime = {TimeFactor::two, TimeFactor::two, TimeFactor::one};
  const auto& channels = architecture.block_out_channels;
  std::vector<Encoder::Block> blocks;
  for (size_t i = 0; i < 4; ++i) {
    const auto prefix = fmt::format("encoder.down_blocks.{}", i);
    blocks.push_back({ResnetStack(half, prefix, channels[i], architecture.layers_per_block), std::nullopt});
    if (i < kTime.size())
      blocks.back().down.emplace(half, prefix + ".downsamplers.0.conv", channels[i], channels[i + 1], kTime[i]);
  }
  return blocks;
}

}  // namespace

Encoder::Encoder(const VaeHalf& half, const VaeArchitecture& architecture)
    : conv_in(half, "encoder.conv_in", 3, architecture.block_out_channels.front()),
      down_blocks(load_down_blocks(half, architecture)),
      mid_block(half, "encoder.mid_block", architecture.block_out_channels.back(), kMidBlockLayers),
      out{ChannelNorm::plain(half, "encoder.norm_out", architecture.block_out_channels.back()),
          CausalConv3d(half, "encoder.conv_out", architecture.block_out_channels.back(),
                       2 * architecture.latent_channels)} {}

Tensor Encoder::operator()(const Tensor& pixels, VideoPass& pass) const {
  Tensor x = conv_in(extend_in_time(pixels, pass.frames_before(conv_in)), pass);
  for (const auto& block : down_blocks) {
    x = block.resnets(std::move(x), pass);
    if (block.down) x = (*block.down)(x, pass);
  }
  x = out(mid_block(std::move(x), pass), pass);
  pass.at_start = false;
  return x;
}

}  // namespace faststar
