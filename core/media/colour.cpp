#include "core/media/colour.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace faststar {
namespace {

constexpr int kAccurate = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;

int matrix_of(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return SWS_CS_SMPTE170M;
  }
}

bool has_alpha(AVPixelFormat format) { return (av_pix_fmt_desc_get(format)->flags & AV_PIX_FMT_FLAG_ALPHA) != 0; }

// Old JPEG formats and grey pictures are full range without saying so.
bool is_full_range(const AVFrame& frame) {
  if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) return frame.color_range == AVCOL_RANGE_JPEG;
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const bool grey = av_pix_fmt_desc_get(format)->nb_components <= 2;
  return grey || format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P ||
         format == AV_PIX_FMT_YUVJ440P || format == AV_PIX_FMT_YUVJ411P;
}

void set_matrix(SwsContext* scaler, int source, bool source_full, int target, bool target_full) {
  // Refused for RGB to RGB, where there is nothing to set.
  sws_setColorspaceDetails(scaler, sws_getCoefficients(source), source_full, sws_getCoefficients(target), target_full,
                           0, 1 << 16, 1 << 16);
}

Tensor copy_out(const AVFrame& picture, int channels) {
  Tensor pixels = at::empty({picture.height, picture.width, channels}, at::kByte);
  av_image_copy_plane(pixels.mutable_data_ptr<uint8_t>(), picture.width * channels, picture.data[0],
                      picture.linesize[0], picture.width * channels, picture.height);
  return pixels;
}

Tensor over_white(const Tensor& rgba, Alpha kind) {
  Tensor rgb = at::empty({rgba.size(0), rgba.size(1), 3}, at::kByte);
  constexpr int64_t kRows = 64;  // at a time: the sums take 40 bytes a pixel
  for (int64_t row = 0; row < rgba.size(0); row += kRows) {
    const int64_t rows = std::min(kRows, rgba.size(0) - row);
    const Tensor wide = rgba.narrow(0, row, rows).to(at::kInt);
    const Tensor alpha = wide.narrow(2, 3, 1);
    const Tensor colours = wide.narrow(2, 0, 3);
    const Tensor part = kind == Alpha::premultiplied ? colours : (colours * alpha + 127).div(255, "floor");
    rgb.narrow(0, row, rows).copy_((part + 255 - alpha).clamp_max(255));
  }
  return rgb;
}

}  // namespace

FromRgb::FromRgb(int width, int height, StoredColour stored)
    : width_(width),
      height_(height),
      stored_(stored),
      scaler_(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, stored.format, kAccurate, nullptr, nullptr,
                             nullptr)),
      rgb_(ffmpeg::make_picture(AV_PIX_FMT_RGB24, width, height)) {
  if (!scaler_) throw std::bad_alloc();
  set_matrix(scaler_.get(), SWS_CS_DEFAULT, true, SWS_CS_SMPTE170M, stored.range == AVCOL_RANGE_JPEG);
}

ffmpeg::FramePtr FromRgb::operator()(const uint8_t* pixels) {
  // Through padded lines: swscale's vector code may touch bytes past the end of the last one.
  av_image_copy_plane(rgb_->data[0], rgb_->linesize[0], pixels, width_ * 3, width_ * 3, height_);
  ffmpeg::FramePtr picture = ffmpeg::make_picture(stored_.format, width_, height_);
  sws_scale(scaler_.get(), rgb_->data, rgb_->linesize, 0, height_, picture->data, picture->linesize);
  picture->color_range = stored_.range;
  return picture;
}

ffmpeg::FramePtr picture_of_planes(const uint8_t* planes, int width, int height) {
  ffmpeg::FramePtr picture = ffmpeg::make_picture(AV_PIX_FMT_YUV420P, width, height);
  const auto copy_plane = [&](int plane, int columns, int lines) {
    av_image_copy_plane(picture->data[plane], picture->linesize[plane], planes, columns, columns, lines);
    planes += columns * lines;
  };
  copy_plane(0, width, height);
  copy_plane(1, width / 2, height / 2);
  copy_plane(2, width / 2, height / 2);
  picture->color_range = AVCOL_RANGE_MPEG;
  return picture;
}

Tensor ToRgb::operator()(const AVFrame& frame, Alpha alpha) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const bool transparent = has_alpha(format) && alpha != Alpha::unused;
  const AVPixelFormat target = transparent ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format, frame.width, frame.height,
                                     target, kAccurate, nullptr, nullptr, nullptr));
  if (!scaler_) fail(ErrorKind::input, std::string("cannot convert pixels of format ") + av_get_pix_fmt_name(format));
  set_matrix(scaler_.get(), matrix_of(frame.colorspace), is_full_range(frame), SWS_CS_DEFAULT, true);
  const auto picture = ffmpeg::make_picture(target, frame.width, frame.height);
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, picture->data, picture->linesize);
  return transparent ? over_white(copy_out(*picture, 4), alpha) : copy_out(*picture, 3);
}

// The matrix maps a source point (x, y) to (m[0] x + m[3] y, m[1] x + m[4] y); y points down.
bool swaps_sides(const int32_t* m) { return m != nullptr && std::abs(m[1]) > std::abs(m[0]); }

bool is_quarter_turn(const int32_t* m) {
  if (m == nullptr) return true;
  const double scale = std::abs(static_cast<double>(m[0])) + std::abs(static_cast<double>(m[1]));
  const auto is_nothing = [&](int32_t part) { return std::abs(static_cast<double>(part)) < scale / 100; };
  return (is_nothing(m[0]) && is_nothing(m[4])) || (is_nothing(m[1]) && is_nothing(m[3]));
}

Tensor turn_upright(const Tensor& pixels, const int32_t* m) {
  if (m == nullptr) return pixels;
  const bool swapped = swaps_sides(m);
  Tensor turned = swapped ? pixels.transpose(0, 1) : pixels;
  if ((swapped ? m[3] : m[0]) < 0) turned = turned.flip(1);
  if ((swapped ? m[1] : m[4]) < 0) turned = turned.flip(0);
  return turned.contiguous();
}

PixelSize square_size(PixelSize stored, AVRational shape) {
  constexpr int kMostUneven = 8;
  if (shape.num <= 0 || shape.den <= 0 || shape.num / kMostUneven > shape.den || shape.den / kMostUneven > shape.num) {
    return stored;
  }
  const int64_t width = av_rescale_rnd(stored.width, shape.num, shape.den, AV_ROUND_NEAR_INF);
  return {stored.height, std::max<int64_t>(width, 1)};
}

Tensor with_square_pixels(const Tensor& pixels, AVRational shape) {
  return resize_lanczos(pixels, square_size({pixels.size(0), pixels.size(1)}, shape));
}

}  // namespace faststar
