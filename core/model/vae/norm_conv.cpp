#include "core/model/vae/norm_conv.h"

#include <ATen/ATen.h>

namespace faststar {

PointwiseConv::PointwiseConv(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out)
    : weight(half.weights.get(prefix + ".conv.weight", {out, in, 1, 1, 1}, half.dtype)),
      bias(half.weights.get(prefix + ".conv.bias", {out}, half.dtype)) {}

Tensor PointwiseConv::operator()(const Tensor& x) const {
  return at::linear(x, weight.view({weight.size(0), weight.size(1)}), bias);
}

ChannelNorm ChannelNorm::plain(const VaeHalf& half, const std::string& prefix, int64_t channels) {
  return {half.weights.get(prefix + ".gamma", {channels, 1, 1, 1}, at::kFloat), std::nullopt, std::nullopt};
}

ChannelNorm ChannelNorm::of_half(const VaeHalf& half, const std::string& prefix, int64_t channels) {
  if (half.latent_channels == 0) return plain(half, prefix, channels);
  ChannelNorm norm = plain(half, prefix + ".norm_layer", channels);
  norm.factor.emplace(half, prefix + ".conv_y", half.latent_channels, channels);
  norm.offset.emplace(half, prefix + ".conv_b", half.latent_channels, channels);
  return norm;
}

std::optional<Modulation> ChannelNorm::modulation(const Tensor& latents) const {
  if (!factor) return std::nullopt;
  return Modulation{(*factor)(latents), (*offset)(latents)};
}

Tensor NormConv::operator()(const Tensor& x, VideoPass& pass) const {
  return conv(norm_silu(x, norm.gamma.view({-1}), norm.modulation(pass.latents), pass.frames_before(conv)), pass);
}

}  // namespace faststar
