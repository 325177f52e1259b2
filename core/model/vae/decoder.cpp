#include "core/model/vae/decoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

namespace faststar {
namespace {

std::vector<Decoder::Block> load_up_blocks(const VaeHalf& half, const VaeArchitecture& architecture) {
  constexpr std::array<TimeFactor, 4> kTime = {TimeFactor::one, TimeFactor::one, TimeFactor::two, TimeFactor::two};
  const auto& channels = architecture.block_out_channels;
  std::vector<Decoder::Block> blocks;
  for (size_t i = 0; i < 4; ++i) {
    const auto prefix = fmt::format("decoder.up_blocks.{}", i);
    const int64_t in = channels[4 - i];
    blocks.push_back({ResnetStack(half, prefix, in, architecture.layers_per_block + 1), std::nullopt});
    if (i > 0) blocks.back().up.emplace(half, prefix + ".upsamplers.0.conv", in, channels[3 - i], kTime[i]);
  }
  return blocks;
}

}  // namespace

Decoder::Decoder(const VaeHalf& half, const VaeArchitecture& architecture)
    : conv_in(half, "decoder.conv_in", architecture.latent_channels, architecture.block_out_channels.back()),
      mid_block(half, "decoder.mid_block", architecture.block_out_channels.back(), kMidBlockLayers),
      up_blocks(load_up_blocks(half, architecture)),
      out{ChannelNorm::of_half(half, "decoder.norm_out", architecture.block_out_channels.front()),
          CausalConv3d(half, "decoder.conv_out", architecture.block_out_channels.front(), 3)} {}

Tensor Decoder::operator()(const Tensor& latents, VideoPass& pass) const {
  pass.latents = latents;
  Tensor x = mid_block(conv_in(extend_in_time(latents, pass.frames_before(conv_in)), pass), pass);
  for (const auto& block : up_blocks) {
    x = block.resnets(std::move(x), pass);
    if (block.up) x = (*block.up)(x, pass);
  }
  x = out(x, pass);
  pass.at_start = false;
  return x;
}

}  // namespace faststar
