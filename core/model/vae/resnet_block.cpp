#include "core/model/vae/resnet_block.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace faststar {

ResnetBlock::ResnetBlock(const VaeHalf& half, const std::string& prefix, int64_t channels)
    : first{ChannelNorm::of_half(half, prefix + ".norm1", channels),
            CausalConv3d(half, prefix + ".conv1", channels, channels)},
      second{ChannelNorm::of_half(half, prefix + ".norm2", channels),
             CausalConv3d(half, prefix + ".conv2", channels, channels)} {}

Tensor ResnetBlock::operator()(const Tensor& x, VideoPass& pass) const {
  const Tensor change = second(first(x, pass), pass);
  // In place where nothing is differentiated: the convolution's output is ours.
  return change.requires_grad() ? change + x : change.add_(x);
}

ResnetStack::ResnetStack(const VaeHalf& half, const std::string& prefix, int64_t channels, int64_t count) {
  blocks.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) blocks.emplace_back(half, fmt::format("{}.resnets.{}", prefix, i), channels);
}

Tensor ResnetStack::operator()(Tensor x, VideoPass& pass) const {
  for (const auto& block : blocks) x = block(x, pass);
  return x;
}

}  // namespace faststar
