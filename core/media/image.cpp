#include "core/media/image.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
extern "C" {
#include <libavutil/base64.h>
}

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>
#include <string_view>

#include "core/base/log.h"
#include "core/media/colour.h"
#include "core/media/colour_profile.h"
#include "core/media/ffmpeg.h"
#include "core/media/filter.h"
#include "core/media/metadata.h"
#include "core/media/picture_colour.h"
#include "core/media/picture_file.h"
#include "core/media/video_reader.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// How a picture is stored in a file.
struct ImageFormat {
  const char* encoder;
  const char* hint;  ///< for an FFmpeg without it
  AVPixelFormat pixels;
  int quantizer;  ///< 1 to 31, best first; 0: lossless
};
constexpr ImageFormat kPng = {"png", "", AV_PIX_FMT_RGB24, 0};
constexpr ImageFormat kJpeg = {"mjpeg", "-o NAME.png", AV_PIX_FMT_YUVJ444P, 2};
constexpr ImageFormat kSmallJpeg = {"mjpeg", "", AV_PIX_FMT_YUVJ444P, 5};

constexpr std::string_view kDataUri = "data:image/jpeg;base64,";

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
  if (format.quantizer > 0) {
    codec->color_range = AVCOL_RANGE_JPEG;
    codec->flags |= AV_CODEC_FLAG_QSCALE;
    codec->global_quality = format.quantizer * FF_QP2LAMBDA;
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

/// True for a container of pictures, animated or not, which is read by this file.
bool is_picture_format(const AVFormatContext& input) {
  const std::string_view format = input.iformat->name;
  return format.starts_with("image2") || format.ends_with("_pipe") || format == "ico" || format == "gif" ||
         format == "apng" || ffmpeg::dictionary_value(input.metadata, "major_brand") == "avif";
}

/// The stream to decode; negative without. An icon holds its picture in several sizes.
int picture_stream(AVFormatContext& input, std::string_view file) {
  const int icon = picture_file::largest_icon(file);
  if (icon >= 0 && icon < static_cast<int>(input.nb_streams)) return icon;
  return av_find_best_stream(&input, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
}

constexpr const char* kSaveAsPng = "save it as PNG or JPEG first";

/// True for words of FFmpeg about a picture that is whole, but of a kind that it cannot decode.
bool is_about_kind(std::string_view words) {
  constexpr std::array kWords = {"not supported", "nsupported", "nknown", "not implemented", "patches welcome"};
  return std::ranges::any_of(kWords, [&](const char* word) { return words.find(word) != words.npos; });
}

/// FFmpeg's own words on a damaged picture ("overread 8") say little alone.
void check_picture_code(int code, const std::string& what) {
  if (code != AVERROR_INVALIDDATA && code != AVERROR_EXTERNAL && code != AVERROR_PATCHWELCOME) {
    ffmpeg::check(code, ErrorKind::input, what);
    return;
  }
  const std::string detail = ffmpeg::take_message();
  if (code == AVERROR_PATCHWELCOME || is_about_kind(detail)) {
    fail(ErrorKind::input, what + ": FFmpeg cannot decode this kind" + (detail.empty() ? "" : " (" + detail + ")"),
         kSaveAsPng);
  }
  fail(ErrorKind::input, what + ": damaged or cut off" + (detail.empty() ? "" : " (" + detail + ")"));
}

std::string_view file_in(const AVPacket& packet) {
  return {reinterpret_cast<const char*>(packet.data), static_cast<size_t>(packet.size)};
}

/// The PNG file in `packet` without what a picture can be shown without.
ffmpeg::PacketPtr without_optional_chunks(const AVPacket& packet) {
  const std::string kept = picture_file::without_optional_chunks(file_in(packet));
  auto clean = ffmpeg::make_packet();
  if (av_new_packet(clean.get(), static_cast<int>(kept.size())) < 0) throw std::bad_alloc();
  std::ranges::copy(kept, clean->data);
  return clean;
}

/// True for a PNG file that is not cut off.
bool is_whole_png(const AVPacket& packet) {
  const std::string_view file = file_in(packet);
  if (!picture_file::is_png(file)) return false;
  const auto chunks = picture_file::png_chunks(file);
  return !chunks.empty() && chunks.back().type == "IEND";
}

/// True for a PNG file with packed text or a packed colour profile of more than any real one: FFmpeg unpacks them
/// whole, to up to a thousand times as many bytes.
bool has_oversized_part(const AVPacket& packet) {
  constexpr size_t kMaxPackedBytes = 256 << 10;
  const std::string_view file = file_in(packet);
  if (!picture_file::is_png(file)) return false;
  return std::ranges::any_of(picture_file::png_chunks(file), [](const picture_file::Part& chunk) {
    const bool is_packed = chunk.type == "iCCP" || chunk.type == "zTXt" || chunk.type == "iTXt";
    return is_packed && chunk.body.size() > kMaxPackedBytes;
  });
}

/// Decodes one packet; nullptr flushes. Returns FFmpeg's code.
int decode_packet(AVCodecContext& codec, const AVPacket* packet, AVFrame& frame) {
  const int code = avcodec_send_packet(&codec, packet);
  return code < 0 ? code : avcodec_receive_frame(&codec, &frame);
}

ffmpeg::FramePtr decode_first_frame(AVFormatContext& input, int stream, const fs::path& path) {
  const std::string what = fmt::format("{}: cannot read the picture", path.string());
  const auto codec = ffmpeg::open_decoder(*input.streams[stream], path);
  // Refuse half a picture. The TIFF decoder refuses missing data anyway, but would also refuse unknown tags.
  if (codec->codec_id != AV_CODEC_ID_TIFF) codec->err_recognition |= AV_EF_EXPLODE;
  auto packet = ffmpeg::make_packet();
  auto frame = ffmpeg::make_frame();
  while (true) {
    av_packet_unref(packet.get());
    const int read = av_read_frame(&input, packet.get());
    if (read != AVERROR_EOF) check_picture_code(read, what);
    if (read >= 0 && packet->stream_index != stream) continue;
    if (read >= 0 && has_oversized_part(*packet)) {
      packet = without_optional_chunks(*packet);
      log::info("{}: a part beside the pixels, such as its colour profile, is too large and not used", path.string());
    }
    int code = decode_packet(*codec, read < 0 ? nullptr : packet.get(), *frame);
    if (code == AVERROR(EAGAIN)) continue;
    if (code < 0 && read >= 0 && is_whole_png(*packet)) {
      avcodec_flush_buffers(codec.get());
      code = decode_packet(*codec, without_optional_chunks(*packet).get(), *frame);
      if (code >= 0)
        log::info("{}: a damaged part beside the pixels, such as its colour profile, is not used", path.string());
    }
    if (code == AVERROR_EOF) fail(ErrorKind::input, what + ": the file ends too early");
    check_picture_code(code, what);
    return frame;
  }
}

std::string file_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) fail_errno(ErrorKind::input, path.string(), "read");
  return std::move(bytes).str();
}

/// Refuses what FFmpeg would decode to half a picture or a black one.
void check_whole_picture(std::string_view bytes, const fs::path& path) {
  const std::string what = fmt::format("{}: cannot read the picture", path.string());
  if (picture_file::is_jpeg(bytes) && !picture_file::is_whole_jpeg(bytes)) {
    fail(ErrorKind::input, what + ": cut off: the JPEG has no end");
  }
  if (const char* const kind = picture_file::unreadable_tiff(bytes)) {
    fail(ErrorKind::input, fmt::format("{}: {}", what, kind), kSaveAsPng);
  }
  const auto avif = picture_file::avif(bytes);
  if (avif && avif->is_tiled) fail(ErrorKind::input, what + ": an AVIF made of tiles", kSaveAsPng);
  if (avif && avif->is_transparent) fail(ErrorKind::input, what + ": an AVIF with transparency", kSaveAsPng);
}

/// A PNG may say by codes what its colours are, HDR among them. FFmpeg reads them from 6.1 on.
void set_colour_codes(std::string_view file, AVFrame& frame) {
  const auto codes = picture_file::colour_codes(file);
  if (!codes) return;
  frame.color_primaries = codes->primaries;
  frame.color_trc = codes->transfer;
  frame.colorspace = AVCOL_SPC_RGB;
  frame.color_range = AVCOL_RANGE_JPEG;
}

/// The ICC profile of a decoded picture; empty for sRGB.
std::string profile_of_picture(const AVFrame& frame, std::string_view file) {
  if (picture_file::colour_codes(file)) return profile_of_primaries(frame.color_primaries);
  const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_ICC_PROFILE);
  if (data != nullptr) return {reinterpret_cast<const char*>(data->data), static_cast<size_t>(data->size)};
  const auto avif = picture_file::avif(file);
  if (avif && !avif->profile.empty()) return std::string(avif->profile);
  if (const auto space = picture_file::colour_space(file)) return profile_of(*space);
  return profile_of_primaries(frame.color_primaries);
}

/// A TIFF says of its fourth channel what it is: tag 338 of TIFF 6.0.
Alpha alpha_of(std::string_view file) {
  constexpr uint64_t kExtraSamples = 338, kUnspecified = 0, kAssociated = 1;
  if (!picture_file::Tiff::is_tiff(file)) return Alpha::straight;
  const auto kind = picture_file::Tiff(file).value(kExtraSamples);
  return kind == kUnspecified ? Alpha::unused : kind == kAssociated ? Alpha::premultiplied : Alpha::straight;
}

int orientation_of(const AVFrame& frame, std::string_view file) {
  const int written = picture_file::orientation(file);
  const std::string text = ffmpeg::dictionary_value(frame.metadata, "Raw profile type exif");
  return written != 1 || text.empty() ? written : picture_file::orientation(picture_file::exif_in_text(text));
}

Tensor first_frame_of_video(const fs::path& path) {
  VideoReader video(path);
  if (!video.advance()) fail(ErrorKind::input, fmt::format("{}: the video has no frames", path.string()));
  return video.pixels();
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
  if (!is_picture_format(*input)) return first_frame_of_video(path);
  const std::string bytes = file_bytes(path);
  const int stream = picture_stream(*input, bytes);
  if (stream < 0) fail(ErrorKind::input, fmt::format("{}: not a picture", path.string()));
  check_whole_picture(bytes, path);
  const auto frame = decode_first_frame(*input, stream, path);
  set_colour_codes(bytes, *frame);
  const AVRational shape = picture_file::pixel_shape(bytes).value_or(
      av_guess_sample_aspect_ratio(input.get(), input->streams[stream], frame.get()));
  const auto shown = ToneMap(path.string())(*frame);
  const Tensor stored = ToRgb()(*shown, alpha_of(bytes));
  const Tensor pixels = with_square_pixels(to_srgb(stored, profile_of_picture(*shown, bytes), path.string()), shape);
  return turn_upright(pixels, kOrientationMatrices[orientation_of(*frame, bytes) - 1]);
}

bool is_picture(const fs::path& path) {
  const auto input = ffmpeg::open_input(path);
  const std::string_view format = input->iformat->name;
  if (format != "gif" && format != "apng") return is_picture_format(*input);
  const auto packet = ffmpeg::make_packet();  // an animation has a second frame
  if (av_read_frame(input.get(), packet.get()) < 0) return true;
  av_packet_unref(packet.get());
  return av_read_frame(input.get(), packet.get()) < 0;
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

std::string image_data_uri(const Tensor& pixels) {
  check_picture(pixels);
  const std::string bytes = encode_image(kSmallJpeg, pixels.contiguous(), "cannot encode a picture");
  std::string base64(AV_BASE64_SIZE(bytes.size()), '\0');
  av_base64_encode(base64.data(), static_cast<int>(base64.size()), reinterpret_cast<const uint8_t*>(bytes.data()),
                   static_cast<int>(bytes.size()));
  base64.resize(std::strlen(base64.c_str()));
  return std::string(kDataUri) + base64;
}

bool is_image_data_uri(std::string_view text) {
  if (!text.starts_with(kDataUri)) return false;
  return std::ranges::all_of(text.substr(kDataUri.size()),
                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '/' || c == '='; });
}

}  // namespace faststar
