#include "core/model/vae/encoder_decoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

namespace faststar {
namespace {

std::vector<VaeBlock<DownSample>> load_down_blocks(const VaeHalf& half, const VaeArchitecture& architecture) {
  constexpr std::array kTime = {TimeFactor::two, TimeFactor::two, TimeFactor::one};
  const auto& channels = architecture.block_out_channels;
  std::vector<VaeBlock<DownSample>> blocks;
  for (size_t i = 0; i < 4; ++i) {
    const auto prefix = fmt::format("encoder.down_blocks.{}", i);
    blocks.push_back({ResnetStack(half, prefix, channels[i], architecture.layers_per_block), std::nullopt});
    if (i == 3) break;
    blocks.back().resampler.emplace(half, prefix + ".downsamplers.0.conv", channels[i], channels[i + 1], kTime[i]);
  }
  return blocks;
}

std::vector<VaeBlock<UpSample>> load_up_blocks(const VaeHalf& half, const VaeArchitecture& architecture) {
  constexpr std::array kTime = {TimeFactor::one, TimeFactor::one, TimeFactor::two, TimeFactor::two};
  const auto& channels = architecture.block_out_channels;
  std::vector<VaeBlock<UpSample>> blocks;
  for (size_t i = 0; i < 4; ++i) {
    const auto prefix = fmt::format("decoder.up_blocks.{}", i);
    const int64_t in = channels[4 - i];
    blocks.push_back({ResnetStack(half, prefix, in, architecture.layers_per_block + 1), std::nullopt});
    if (i == 0) continue;
    blocks.back().resampler.emplace(half, prefix + ".upsamplers.0.conv", in, channels[3 - i], kTime[i]);
  }
  return blocks;
}

Tensor convolve_first(const CausalConv3d& conv, const Tensor& x, VideoPass& pass) {
  return conv(extend_in_time(x, pass.frames_before()), pass);
}

}  // namespace

template <typename Resampler>
Tensor VaeBlock<Resampler>::operator()(Tensor x, VideoPass& pass) const {
  x = resnets(std::move(x), pass);
  return resampler ? (*resampler)(x, pass) : x;
}

Encoder::Encoder(const VaeHalf& half, const VaeArchitecture& architecture)
    : conv_in(half, "encoder.conv_in", kRgb, architecture.block_out_channels.front()),
      down_blocks(load_down_blocks(half, architecture)),
      mid_block(half, "encoder.mid_block", architecture.block_out_channels.back(), kMidBlockLayers),
      out{ChannelNorm::plain(half, "encoder.norm_out", architecture.block_out_channels.back()),
          CausalConv3d(half, "encoder.conv_out", architecture.block_out_channels.back(),
                       2 * architecture.latent_channels)} {}

Tensor Encoder::operator()(const Tensor& pixels, VideoPass& pass) const {
  Tensor x = convolve_first(conv_in, pixels, pass);
  for (const auto& block : down_blocks) x = block(std::move(x), pass);
  x = out(mid_block(std::move(x), pass), pass);
  pass.end_slice();
  return x;
}

Decoder::Decoder(const VaeHalf& half, const VaeArchitecture& architecture)
    : conv_in(half, "decoder.conv_in", architecture.latent_channels, architecture.block_out_channels.back()),
      mid_block(half, "decoder.mid_block", architecture.block_out_channels.back(), kMidBlockLayers),
      up_blocks(load_up_blocks(half, architecture)),
      out{ChannelNorm::of_half(half, "decoder.norm_out", architecture.block_out_channels.front()),
          CausalConv3d(half, "decoder.conv_out", architecture.block_out_channels.front(), kRgb)} {}

Tensor Decoder::operator()(const Tensor& latents, VideoPass& pass) const {
  pass.latents = latents;
  Tensor x = mid_block(convolve_first(conv_in, latents, pass), pass);
  for (const auto& block : up_blocks) x = block(std::move(x), pass);
  x = out(x, pass);
  pass.end_slice();
  return x;
}

}  // namespace faststar
