#include "core/model/vae/causal_conv3d.h"

#include <ATen/ATen.h>

#include <array>

namespace faststar {
namespace {

constexpr int64_t kFramesBefore = 2;

/// The layout that convolutions want, made once.
Tensor channels_innermost(const Tensor& weight) { return weight.contiguous(at::MemoryFormat::ChannelsLast3d); }

/// at::conv3d without its size limit: on a CPU, LibTorch sends small float32 inputs past oneDNN to a
/// convolution that is several times slower, and the slices of a small video are small.
Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::array<int64_t, 3> padding = {0, 1, 1};
  const std::array<int64_t, 3> ones = {1, 1, 1};
  if (x.is_cpu() && at::hasMKLDNN() && at::globalContext().userEnabledMkldnn())
    return at::mkldnn_convolution(x, weight, bias, padding, ones, ones, /*groups=*/1);
  return at::conv3d(x, weight, bias, ones, padding);
}

}  // namespace

Tensor VideoPass::frames_before(const CausalConv3d& convolution) const {
  const auto found = history.find(&convolution);
  return found == history.end() ? Tensor() : found->second;
}

Tensor extend_in_time(const Tensor& x, const Tensor& before) {
  if (before.defined()) return at::cat({before, x}, 1);
  const Tensor first = x.narrow(1, 0, 1);
  return at::cat({first, first, x}, 1);
}

CausalConv3d::CausalConv3d(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out)
    : weight(channels_innermost(half.weights.get(prefix + ".conv.weight", {out, in, 3, 3, 3}, half.dtype))),
      bias(half.weights.get(prefix + ".conv.bias", {out}, half.dtype)) {}

Tensor CausalConv3d::operator()(const Tensor& extended, VideoPass& pass) const {
  // A copy: a view would keep the whole slice alive.
  if (!pass.at_end) pass.history[this] = extended.narrow(1, extended.size(1) - kFramesBefore, kFramesBefore).clone();
  const Tensor channels_first = extended.permute({0, 4, 1, 2, 3});  // NDHWC memory seen as [B, C, T, H, W]
  return convolve(channels_first, weight, bias).permute({0, 2, 3, 4, 1}).contiguous();
}

}  // namespace faststar
