#pragma once
#include "core/base/tensor.h"
#include "core/media/ffmpeg.h"
#include "core/media/resize.h"

namespace faststar {

/// How RGB is stored in a file: `format`, and for YUV the range. The matrix is always BT.601: readers that
/// ignore tags (OpenCV, and VBench with it) assume that one.
struct StoredColour {
  AVPixelFormat format = AV_PIX_FMT_YUV420P;
  AVColorRange range = AVCOL_RANGE_MPEG;
};

/// Converts RGB pictures of one size to an encoder's format.
class FromRgb {
 public:
  FromRgb(int width, int height, StoredColour stored);
  /// pixels: height x width x 3 bytes. Returns a new picture with colour tags.
  ffmpeg::FramePtr operator()(const uint8_t* pixels);

 private:
  int width_;
  int height_;
  StoredColour stored_;
  ffmpeg::ScalerPtr scaler_;
  ffmpeg::FramePtr rgb_;
};

/// A YUV420P picture, limited range, from its packed planes: Y of `height` lines, then U and V of half as many, half as
/// wide. Width and height are even.
ffmpeg::FramePtr picture_of_planes(const uint8_t* planes, int width, int height);

/// What the fourth channel of a picture is.
enum class Alpha {
  straight,       ///< how opaque a pixel is
  premultiplied,  ///< the same, and the colours are multiplied by it already
  unused,         ///< nothing: the picture is opaque
};

/// Converts decoded frames of any format to RGB; untagged YUV is read as BT.601, limited range, as OpenCV and
/// decord do. Transparent pictures are blended with white.
class ToRgb {
 public:
  /// Returns uint8 [H, W, 3], not turned upright.
  Tensor operator()(const AVFrame& frame, Alpha alpha = Alpha::straight);

 private:
  ffmpeg::ScalerPtr scaler_;
};

/// `pixels` [H, W, 3] turned by a display matrix (quarter turns and mirrors); unchanged when it is nullptr.
Tensor turn_upright(const Tensor& pixels, const int32_t* display_matrix);

/// True when the matrix does nothing but quarter turns and mirrors; nullptr does nothing.
bool is_quarter_turn(const int32_t* display_matrix);

/// True when the matrix swaps width and height.
bool swaps_sides(const int32_t* display_matrix);

/// The size of a stored picture with square pixels: the width changes, as players do. `shape` is a pixel's width to its
/// height; unknown or absurd ones count as square.
PixelSize square_size(PixelSize stored, AVRational shape);

/// `pixels` [H, W, 3], stored with pixels of `shape`, resized to square_size().
Tensor with_square_pixels(const Tensor& pixels, AVRational shape);

}  // namespace faststar
