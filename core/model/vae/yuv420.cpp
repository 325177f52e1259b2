#include "core/model/vae/yuv420.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "core/model/vae/video_vae.h"
#include "cuda/bt601.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

void check_decoded(const Tensor& decoded) {
  TORCH_CHECK(decoded.dim() == 5 && decoded.size(0) == 1 && decoded.size(1) == 3 && decoded.size(3) % 2 == 0 &&
                  decoded.size(4) % 2 == 0,
              "to_yuv420: expected [1, 3, F, H, W] with H and W even, got ", decoded.sizes());
}

Tensor compute(const Tensor& decoded) {
  const Tensor pixels = decoded[0].permute({1, 2, 3, 0}).contiguous();  // [F, H, W, 3]
  const int64_t F = pixels.size(0), H = pixels.size(1), W = pixels.size(2);
  const Tensor planes = at::empty({F, H + H / 2, W}, pixels.options().dtype(at::kByte));
  cuda::yuv420({.decoded = pixels.const_data_ptr(),
                .planes = planes.mutable_data_ptr<uint8_t>(),
                .frames = F,
                .height = H,
                .width = W},
               float_type(pixels), kernel_stream({pixels, planes}));
  return planes;
}

/// One channel of every pixel, with 6 bits below a level. rgb [F, H, W, 3] int32 -> [F, H, W].
Tensor weighted(const Tensor& rgb, const bt601::Weights& weights) {
  const Tensor sum = rgb.select(3, 0) * weights.red + rgb.select(3, 1) * weights.green +
                     rgb.select(3, 2) * weights.blue + weights.offset;
  return sum.bitwise_right_shift(bt601::kShift);
}

/// Every second sample of `x` along `dim`, filtered: the sum, not yet scaled back.
Tensor halved(const Tensor& x, int64_t dim, const bt601::Taps& taps) {
  const Tensor every_second = at::arange(0, x.size(dim), 2, x.options().dtype(at::kLong));
  Tensor sum;
  for (int tap = 0; tap < bt601::kTaps; ++tap) {
    const Tensor from = (every_second + (tap - bt601::kTapsBefore)).clamp(0, x.size(dim) - 1);
    const Tensor part = x.index_select(dim, from) * taps.weight[tap];
    sum = sum.defined() ? sum.add_(part) : part;
  }
  return sum;
}

/// The plane of one chroma channel [F, H, W] -> [F, H/2, W/2], levels.
Tensor chroma_plane(const Tensor& channel) {
  const Tensor narrow =
      halved(channel, 2, bt601::kAlongLine).bitwise_right_shift(bt601::kAlongLineShift).clamp_max(bt601::kAlongLineMax);
  const Tensor rounding = halved(narrow, 1, bt601::kAcrossLines) + (1 << (bt601::kAcrossLinesShift - 1));
  return rounding.bitwise_right_shift(bt601::kAcrossLinesShift).clamp(0, 255);
}

}  // namespace

Tensor reference::to_yuv420(const Tensor& decoded) {
  check_decoded(decoded);
  const Tensor rgb = to_frames(decoded).to(at::kInt);
  const int64_t F = rgb.size(0), H = rgb.size(1), W = rgb.size(2);
  const Tensor luma =
      (weighted(rgb, bt601::kY) + (1 << (bt601::kLumaShift - 1))).bitwise_right_shift(bt601::kLumaShift);
  const auto flat = [](const Tensor& plane) { return plane.to(at::kByte).flatten(1); };
  return at::cat(
             {flat(luma), flat(chroma_plane(weighted(rgb, bt601::kU))), flat(chroma_plane(weighted(rgb, bt601::kV)))},
             1)
      .view({F, H + H / 2, W});
}

Tensor to_yuv420(const Tensor& decoded) {
  check_decoded(decoded);
  return kernels_take(decoded) ? compute(decoded) : reference::to_yuv420(decoded);
}

}  // namespace faststar
