#include "core/model/vae/layers.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>

#include "core/model/vae/architecture.h"

namespace faststar {
namespace {

/// at::conv3d without its size limit: on a CPU, LibTorch sends small float32 inputs past oneDNN to a
/// convolution that is several times slower, and the slices of a small video are small.
Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::array<int64_t, 3> padding = {0, 1, 1};
  const std::array<int64_t, 3> ones = {1, 1, 1};
  if (x.is_cpu() && at::hasMKLDNN() && at::globalContext().userEnabledMkldnn())
    return at::mkldnn_convolution(x, weight, bias, padding, ones, ones, /*groups=*/1);
  return at::conv3d(x, weight, bias, ones, padding);
}

// Channel order of both resamplers: pixel within the 2x2 block (and frame within the pair) first, channel innermost.
// This is not pixel_shuffle's order, which has the channel outermost.

/// Pixels become channels and `time` frames their mean: [B, T, H, W, C] -> [B, T/time, H/2, W/2, 4C].
Tensor space_to_depth(const Tensor& x, int64_t time) {
  const int64_t B = x.size(0), T = x.size(1), H = x.size(2), W = x.size(3), C = x.size(4);
  const Tensor mean = time == 1 ? x : x.reshape({B, T / time, time, H, W, C}).mean(2);
  return mean.reshape({B, T / time, H / 2, 2, W / 2, 2, C})
      .permute({0, 1, 2, 4, 3, 5, 6})  // [B, T, H/2, W/2, y, x, C]
      .reshape({B, T / time, H / 2, W / 2, 4 * C});
}

/// space_to_depth, but at the video's start the first frame is not averaged with its neighbour.
Tensor fold(const Tensor& x, int64_t time, bool at_start) {
  if (time == 1 || !at_start) return space_to_depth(x, time);
  const Tensor first = space_to_depth(x.narrow(1, 0, 1), 1);
  if (x.size(1) == 1) return first;
  return at::cat({first, space_to_depth(x.narrow(1, 1, x.size(1) - 1), time)}, 1);
}

/// Channels become frames and pixels, and the shortcut is added.
/// u [B, T, H, W, time * 4 * C], x [B, T, H, W, C or 2C or 4C] -> [B, T * time, 2H, 2W, C].
Tensor depth_to_space(const Tensor& u, const Tensor& x, int64_t time) {
  const int64_t B = u.size(0), T = u.size(1), H = u.size(2), W = u.size(3), C = u.size(4) / (4 * time);
  // The shortcut repeats x's channels: they tell columns apart (2C), rows too (4C), or nothing (C).
  const int64_t rows = x.size(4) == 4 * C ? 2 : 1;
  const int64_t columns = x.size(4) >= 2 * C ? 2 : 1;
  const Tensor shortcut = x.reshape({B, T, 1, H, W, rows, columns, C}).permute({0, 1, 2, 3, 5, 4, 6, 7});
  return u.view({B, T, H, W, time, 2, 2, C})
      .permute({0, 1, 4, 2, 5, 3, 6, 7})  // [B, T, time, H, y, W, x, C]
      .clone(at::MemoryFormat::Contiguous)
      .add_(shortcut)
      .view({B, T * time, 2 * H, 2 * W, C});
}

}  // namespace

Tensor VideoPass::frames_before() const {
  return convolution_ < last_frames_.size() ? last_frames_[convolution_] : Tensor();
}

void VideoPass::remember(const Tensor& extended) {
  if (convolution_ == last_frames_.size()) last_frames_.emplace_back();
  // A copy: a view would keep the whole slice alive.
  if (!at_end) {
    last_frames_[convolution_] = extended.narrow(1, extended.size(1) - kFramesBefore, kFramesBefore).clone();
  }
  ++convolution_;
}

void VideoPass::end_slice() {
  at_start = false;
  convolution_ = 0;
}

CausalConv3d::CausalConv3d(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out)
    : weight(half.weights.get(prefix + ".conv.weight", {out, in, 3, 3, 3}, half.dtype)
                 .contiguous(at::MemoryFormat::ChannelsLast3d)),  // the layout that convolutions want, made once
      bias(half.weights.get(prefix + ".conv.bias", {out}, half.dtype)) {}

Tensor CausalConv3d::operator()(const Tensor& extended, VideoPass& pass) const {
  pass.remember(extended);
  const Tensor channels_first = extended.permute({0, 4, 1, 2, 3});  // NDHWC memory seen as [B, C, T, H, W]
  return convolve(channels_first, weight, bias).permute({0, 2, 3, 4, 1}).contiguous();
}

ChannelNorm ChannelNorm::plain(const VaeHalf& half, const std::string& prefix, int64_t channels) {
  return {half.weights.get(prefix + ".gamma", {channels, 1, 1, 1}, at::kFloat), std::nullopt, std::nullopt};
}

ChannelNorm ChannelNorm::of_half(const VaeHalf& half, const std::string& prefix, int64_t channels) {
  if (half.latent_channels == 0) return plain(half, prefix, channels);
  ChannelNorm norm = plain(half, prefix + ".norm_layer", channels);
  const auto pointwise = [&](const std::string& name) {
    const Tensor weight = half.weights.get(name + ".weight", {channels, half.latent_channels, 1, 1, 1}, half.dtype);
    return Linear(weight.flatten(1), half.weights.get(name + ".bias", {channels}, half.dtype));
  };
  norm.factor = pointwise(prefix + ".conv_y.conv");
  norm.offset = pointwise(prefix + ".conv_b.conv");
  return norm;
}

Tensor NormConv::operator()(const Tensor& x, VideoPass& pass) const {
  std::optional<Modulation> modulation;
  if (norm.factor) modulation = {(*norm.factor)(pass.latents), (*norm.offset)(pass.latents)};
  return conv(norm_silu(x, norm.gamma.view({-1}), modulation, pass.frames_before()), pass);
}

ResnetStack::ResnetStack(const VaeHalf& half, const std::string& prefix, int64_t channels, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const auto norm_conv = [&](int number) {
      const auto block = fmt::format("{}.resnets.{}", prefix, i);
      return NormConv{ChannelNorm::of_half(half, fmt::format("{}.norm{}", block, number), channels),
                      CausalConv3d(half, fmt::format("{}.conv{}", block, number), channels, channels)};
    };
    blocks.push_back({norm_conv(1), norm_conv(2)});
  }
}

Tensor ResnetStack::operator()(Tensor x, VideoPass& pass) const {
  for (const Block& block : blocks) {
    const Tensor change = block.second(block.first(x, pass), pass);
    // In place, except where gradients are recorded: nobody else holds the convolution's output.
    x = change.requires_grad() ? change + x : change.add_(x);
  }
  return x;
}

DownSample::DownSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor factor)
    : conv{ChannelNorm::plain(half, prefix + ".norm", in), CausalConv3d(half, prefix + ".conv", in, out / 4)},
      time(static_cast<int64_t>(factor)) {}

Tensor DownSample::operator()(const Tensor& x, VideoPass& pass) const {
  const Tensor u = fold(conv(x, pass), time, pass.at_start);  // [B, T', H/2, W/2, out]
  const Tensor shortcut = fold(x, time, pass.at_start);       // [B, T', H/2, W/2, 4 * in]
  return u + shortcut.unflatten(-1, {-1, u.size(-1)}).mean(-2);
}

UpSample::UpSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor factor)
    : conv{ChannelNorm::plain(half, prefix + ".norm", in),
           CausalConv3d(half, prefix + ".conv", in, out * 4 * static_cast<int64_t>(factor))},
      time(static_cast<int64_t>(factor)) {}

Tensor UpSample::operator()(const Tensor& x, VideoPass& pass) const {
  const Tensor u = conv(x, pass);
  if (time == 1 || !pass.at_start) return depth_to_space(u, x, time);
  // The frames that the first one became are averaged.
  const Tensor mean = u.narrow(1, 0, 1).unflatten(-1, {time, -1}).mean(-2);  // [B, 1, H, W, 4 * C]
  const Tensor first = depth_to_space(mean, x.narrow(1, 0, 1), 1);
  const int64_t rest = x.size(1) - 1;
  if (rest == 0) return first;
  return at::cat({first, depth_to_space(u.narrow(1, 1, rest), x.narrow(1, 1, rest), time)}, 1);
}

}  // namespace faststar
