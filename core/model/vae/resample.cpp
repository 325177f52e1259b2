#include "core/model/vae/resample.h"

#include <ATen/ATen.h>

// Channel order of both: pixel within the 2x2 block (and frame within the pair) first, channel innermost. This
// is not pixel_shuffle's order, which has the channel outermost.

namespace faststar {
namespace {

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

/// The mean over the frames that one frame became: [B, T, H, W, time * 4 * C] -> [B, T, H, W, 4 * C].
Tensor mean_of_frames(const Tensor& u, int64_t time) { return u.unflatten(-1, {time, -1}).mean(-2); }

}  // namespace

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
  const Tensor first = depth_to_space(mean_of_frames(u.narrow(1, 0, 1), time), x.narrow(1, 0, 1), 1);
  const int64_t rest = x.size(1) - 1;
  if (rest == 0) return first;
  return at::cat({first, depth_to_space(u.narrow(1, 1, rest), x.narrow(1, 1, rest), time)}, 1);
}

}  // namespace faststar
