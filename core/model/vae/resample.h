#pragma once
#include "core/model/vae/norm_conv.h"

namespace faststar {

/// How a resampler changes the number of frames.
enum class TimeFactor : int64_t { one = 1, two = 2 };

/// Halves height and width and, with TimeFactor::two, pairs frames; the video's first frame stays alone.
/// A convolution to out/4 channels whose 2x2 pixels become channels, plus a parameter-free shortcut: the same
/// rearrangement of x, averaged over groups of channels.
/// Source: DCDownBlock3d, infinity/models/videovae/modules/conv_wan.py.
struct DownSample {
  /// Reads `<prefix>.norm.gamma` and `<prefix>.conv.conv`.
  DownSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor time);
  /// x [B, T, H, W, in] -> [B, T', H/2, W/2, out]; T' = T / time, at the video's start 1 + (T-1) / time.
  Tensor operator()(const Tensor& x, VideoPass& pass) const;

  NormConv conv;
  int64_t time;
};

/// Doubles height and width and, with TimeFactor::two, frames; the video's first frame stays one frame, the
/// mean of its two. A convolution whose channels become pixels, plus a parameter-free shortcut: x repeated
/// over channels, rearranged alike.
/// Source: DCUpBlock3d, infinity/models/videovae/modules/conv_wan.py.
struct UpSample {
  /// Reads `<prefix>.norm.gamma` and `<prefix>.conv.conv`.
  UpSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor time);
  /// x [B, T, H, W, in] -> [B, T', 2H, 2W, out]; T' = T * time, at the video's start 1 + (T-1) * time.
  Tensor operator()(const Tensor& x, VideoPass& pass) const;

  NormConv conv;
  int64_t time;
};

}  // namespace faststar
