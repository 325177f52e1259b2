#include "core/media/image.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "core/media/colour.h"
#include "core/media/ffmpeg.h"
#include "core/media/metadata.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// How a picture is stored in a file.
struct ImageFormat {
  const char* encoder;
  const char* hint;  ///< for an FFmpeg without it
  AVPixelFormat pixels;
};
constexpr ImageFormat kPng = {"png", "", AV_PIX_FMT_RGB24};
constexpr ImageFormat kJpeg = {"mjpeg", "-o NAME.png", AV_PIX_FMT_YUVJ444P};

const ImageFormat& format_of(const fs::path& path) {
  if (has_picture_name(path)) return lower_extension(path) == ".png" ? kPng : kJpeg;
  fail(ErrorKind::usage, fmt::format("{}: expected a name that ends in .png or .jpg", path.string()));
}

ffmpeg::CodecPtr open_encoder(const ImageFormat& format, const AVFrame& picture, const std::string& what) {
  ffmpeg::CodecPtr codec = ffmpeg::make_encoder(format.encoder, format.hint);
  codec->width = picture.width;
  codec->height = picture.height;
  codec->pix_fmt = format.pixels;
  codec->time_base = {1, 1};
  if (&format == &kJpeg) {
    codec->color_range = AVCOL_RANGE_JPEG;
    codec->flags |= AV_CODEC_FLAG_QSCALE;
    codec->global_quality = 2 * FF_QP2LAMBDA;  // 1 to 31, best first
  }
  ffmpeg::check(avcodec_open2(codec.get(), codec->codec, nullptr), ErrorKind::output, what);
  return codec;
}

std::string encode_image(const ImageFormat& format, const Tensor& pixels, const std::string& what) {
  FromRgb from_rgb(static_cast<int>(pixels.size(1)), static_cast<int>(pixels.size(0)),
                   {format.pixels, AVCOL_RANGE_JPEG});
  const auto picture = from_rgb(pixels.const_data_ptr<uint8_t>());
  const auto codec = open_encoder(format, *picture, what);
  picture->quality = codec->global_quality;
  const auto packet = ffmpeg::make_packet();
  ffmpeg::check(avcodec_send_frame(codec.get(), picture.get()), ErrorKind::output, what);
  ffmpeg::check(avcodec_send_frame(codec.get(), nullptr), ErrorKind::output, what);
  ffmpeg::check(avcodec_receive_packet(codec.get(), packet.get()), ErrorKind::output, what);
  return {reinterpret_cast<const char*>(packet->data), static_cast<size_t>(packet->size)};
}

// EXIF orientation 1 to 8: the first stored row is at the picture's (top, top, bottom, bottom, left, right, right,
// left), the first column at (left, right, right, left, top, top, bottom, bottom). TIFF 6.0, tag 274.
constexpr int32_t kOrientationMatrices[8][9] = {
    {1, 0, 0, 0, 1}, {-1, 0, 0, 0, 1}, {-1, 0, 0, 0, -1}, {1, 0, 0, 0, -1},
    {0, 1, 0, 1, 0}, {0, 1, 0, -1, 0}, {0, -1, 0, -1, 0}, {0, -1, 0, 1, 0},
};

// Decoders report EXIF either as a display matrix or as text.
const int32_t* orientation_matrix(const AVFrame& frame) {
  if (const int32_t* matrix = ffmpeg::display_matrix(frame)) return matrix;
  const int orientation = std::atoi(ffmpeg::dictionary_value(frame.metadata, "Orientation").c_str());
  return orientation >= 1 && orientation <= 8 ? kOrientationMatrices[orientation - 1] : nullptr;
}

ffmpeg::FramePtr decode_first_frame(AVFormatContext& input, const fs::path& path) {
  const std::string what = fmt::format("{}: cannot read the picture", path.string());
  const int stream = av_find_best_stream(&input, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (stream < 0) fail(ErrorKind::input, fmt::format("{}: not a picture", path.string()));
  const auto codec = ffmpeg::open_decoder(*input.streams[stream], path);
  // Refuse half a picture. The TIFF decoder refuses missing data anyway, but would also refuse unknown tags.
  if (codec->codec_id != AV_CODEC_ID_TIFF) codec->err_recognition |= AV_EF_EXPLODE;
  auto packet = ffmpeg::make_packet();
  auto frame = ffmpeg::make_frame();
  while (true) {
    const int read = av_read_frame(&input, packet.get());
    if (read != AVERROR_EOF) ffmpeg::check(read, ErrorKind::input, what);
    if (read >= 0 && packet->stream_index != stream) {
      av_packet_unref(packet.get());
      continue;
    }
    ffmpeg::check(avcodec_send_packet(codec.get(), read < 0 ? nullptr : packet.get()), ErrorKind::input, what);
    av_packet_unref(packet.get());
    const int code = avcodec_receive_frame(codec.get(), frame.get());
    if (code == AVERROR(EAGAIN)) continue;
    if (code == AVERROR_EOF) fail(ErrorKind::input, what + ": the file ends too early");
    ffmpeg::check(code, ErrorKind::input, what);
    return frame;
  }
}

void check_picture(const Tensor& pixels) {
  if (pixels.scalar_type() == at::kByte && pixels.dim() == 3 && pixels.size(2) == 3 && pixels.is_cpu() &&
      pixels.numel() > 0)
    return;
  fail(ErrorKind::internal, fmt::format("pixels: expected uint8 [H, W, 3] on the CPU, got {} {}",
                                        dtype_text(pixels.scalar_type()), shape_text(pixels.sizes())));
}

}  // namespace

Tensor read_image(const fs::path& path) {
  const auto input = ffmpeg::open_input(path);
  const auto frame = decode_first_frame(*input, path);
  return turn_upright(ToRgb()(*frame), orientation_matrix(*frame));
}

bool is_picture(const fs::path& path) {
  const std::string_view format = ffmpeg::open_input(path)->iformat->name;
  return format == "image2" || format.ends_with("_pipe");  // libavformat's names of picture formats
}

bool has_picture_name(const fs::path& path) {
  const std::string extension = lower_extension(path);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

void check_image_output(const fs::path& path) {
  const ImageFormat& format = format_of(path);
  ffmpeg::make_encoder(format.encoder, format.hint);
}

void write_image(const fs::path& path, const Tensor& pixels, const std::string& comment, Existing existing) {
  check_picture(pixels);
  const std::string what = fmt::format("{}: cannot write", path.string());
  std::string bytes = encode_image(format_of(path), pixels.contiguous(), what);
  if (!comment.empty()) bytes = with_comment(std::move(bytes), comment);
  write_file(path, bytes, existing);
}

}  // namespace faststar
