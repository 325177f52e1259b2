#include "core/model/vae/layers.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <utility>

#include "core/base/device.h"
#include "core/base/profile.h"
#include "core/model/vae/architecture.h"
#include "core/model/vae/depth_to_space.h"
#include "core/model/vae/rgb_conv.h"

namespace faststar {
namespace {

/// True when kernels that follow may do what is left over: they are on, and nothing has to be differentiated.
bool defers(std::initializer_list<Tensor> operands) {
  return kernels_take(*operands.begin()) && !needs_gradient(operands);
}

/// change + x, now or by the next kernel.
DeferredSum add_residual(const DeferredSum& change, const Tensor& x) {
  if (defers({change.output, x})) return {change.output, change.bias, x};
  // In place, except where gradients are recorded: nobody else holds the convolution's output.
  return change.output.requires_grad() ? change.output + x : change.output.add_(x);
}

/// at::conv3d without its size limit: on a CPU, LibTorch sends small float32 inputs past oneDNN to a
/// convolution that is several times slower, and the slices of a small video are small. `rows`: of zeros above and
/// below.
Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t rows) {
  const std::array<int64_t, 3> padding = {0, rows, 1};
  const std::array<int64_t, 3> ones = {1, 1, 1};
  if (x.is_cpu() && at::hasMKLDNN() && at::globalContext().userEnabledMkldnn())
    return at::mkldnn_convolution(x, weight, bias, padding, ones, ones, /*groups=*/1);
  return at::conv3d(x, weight, bias, ones, padding);
}

/// Pixels become channels, in the order of depth_to_space, and `time` frames their mean: [B, T, H, W, C] -> [B, T/time,
/// H/2, W/2, 4C].
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

}  // namespace

Tensor RowNeighbours::extend(const Tensor& x) const {
  const ProfileRange range(PassPart::exchange);
  const int64_t last = x.size(2) - 1;
  std::vector<Message> sent, received;
  const auto row_of = [&](const std::optional<int>& peer, int64_t own_row) {
    const Tensor own = x.narrow(2, own_row, 1);
    if (!peer) return at::zeros_like(own, at::MemoryFormat::Contiguous);
    sent.push_back({*peer, own.contiguous()});
    received.push_back({*peer, at::empty_like(own, at::MemoryFormat::Contiguous)});
    return received.back().tensor;
  };
  const Tensor first = row_of(above, 0), second = row_of(below, last);
  group.exchange(sent, received);
  return at::cat({first, x, second}, 2);
}

Tensor VideoPass::frames_before() const {
  return convolution_ < last_frames_.size() ? last_frames_[convolution_] : Tensor();
}

void VideoPass::remember(const Tensor& extended) {
  if (convolution_ == last_frames_.size()) last_frames_.emplace_back();
  if (!at_end) {
    Tensor& last = last_frames_[convolution_];
    last = Tensor();  // what it held is in `extended`
    // A copy: a view would keep the whole slice alive.
    last = extended.narrow(1, extended.size(1) - kFramesBefore, kFramesBefore).clone();
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

DeferredSum CausalConv3d::operator()(const Tensor& extended, VideoPass& pass) const {
  pass.remember(extended);
  const bool alone = pass.neighbours == nullptr;
  const Tensor x = alone ? extended : pass.neighbours->extend(extended);
  if (rgb_conv_takes(x, weight, bias)) {
    const Tensor output = rgb_conv(x, weight, bias);
    return alone ? output : output.narrow(2, 1, extended.size(2));
  }
  const Tensor channels_first = x.permute({0, 4, 1, 2, 3});  // NDHWC memory seen as [B, C, T, H, W]
  const bool defer = defers({extended, weight, bias});       // cuDNN would add the bias in a pass of its own
  const Tensor output = convolve(channels_first, weight, defer ? Tensor() : bias, alone ? 1 : 0);
  return {output.permute({0, 2, 3, 4, 1}).contiguous(), defer ? bias : Tensor()};
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

NormConv::Result NormConv::operator()(DeferredSum x, VideoPass& pass, KeepSum keep) const {
  std::optional<Modulation> modulation;
  if (norm.factor) modulation = {(*norm.factor)(pass.latents), (*norm.offset)(pass.latents)};
  NormedSum normed = norm_silu_of_sum(x, norm.gamma.view({-1}), modulation, pass.frames_before(), keep);
  x = Tensor();  // memory of what the sum was made of is free before the convolution takes its own
  return {conv(normed.extended, pass), std::move(normed.sum)};
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

DeferredSum ResnetStack::operator()(DeferredSum x, VideoPass& pass) const {
  for (const Block& block : blocks) {
    const auto [hidden, sum] = block.first(std::move(x), pass, KeepSum::yes);
    x = add_residual(block.second(hidden, pass).output, sum);
  }
  return x;
}

DownSample::DownSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor factor)
    : conv{ChannelNorm::plain(half, prefix + ".norm", in), CausalConv3d(half, prefix + ".conv", in, out / 4)},
      time(static_cast<int64_t>(factor)) {}

Tensor DownSample::operator()(DeferredSum x, VideoPass& pass) const {
  const auto [change, sum] = conv(std::move(x), pass, KeepSum::yes);
  const Tensor u = fold(change.total(), time, pass.at_start);  // [B, T', H/2, W/2, out]
  const Tensor shortcut = fold(sum, time, pass.at_start);      // [B, T', H/2, W/2, 4 * in]
  return u + shortcut.unflatten(-1, {-1, u.size(-1)}).mean(-2);
}

UpSample::UpSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor factor)
    : conv{ChannelNorm::plain(half, prefix + ".norm", in),
           CausalConv3d(half, prefix + ".conv", in, out * 4 * static_cast<int64_t>(factor))},
      time(static_cast<int64_t>(factor)) {}

Tensor UpSample::operator()(DeferredSum x, VideoPass& pass) const {
  const auto [u, sum] = conv(std::move(x), pass, KeepSum::yes);
  return depth_to_space(u.output, u.bias, sum, time, pass.at_start);
}

}  // namespace faststar
