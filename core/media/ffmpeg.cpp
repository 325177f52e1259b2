#include "core/media/ffmpeg.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <new>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/log.h"
#include "core/media/file_kind.h"

namespace faststar::ffmpeg {
namespace {

thread_local std::string last_message;

void keep_error(void*, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  last_message = line;
  while (!last_message.empty() && (last_message.back() == '\n' || last_message.back() == '.')) last_message.pop_back();
}

// libav prints to stderr until told otherwise; before main() is before its first use.
[[maybe_unused]] const bool log_is_kept = (av_log_set_callback(keep_error), true);

std::string reason(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(code, text, sizeof text);
  // For other errors than the system's ("Invalid data found") the log says more.
  const bool system_error = code > -4096 && code != AVERROR(EINVAL);
  const std::string detail = take_message();
  if (detail == "moov atom not found") return "cut off: its index is missing";
  if (code == AVERROR_INVALIDDATA && detail.empty()) return "damaged, or in a format that FFmpeg does not know";
  return system_error || detail.empty() ? text : detail;
}

// "file:" keeps libav from reading "a:b.mp4" as protocol a.
std::string url_of(const std::filesystem::path& path) { return "file:" + path.string(); }

template <typename T>
T* allocated(T* pointer) {
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

/// FFmpeg's own decoders of VP8 and VP9 leave out transparency; libvpx's do not.
const AVCodec* decoder_of(const AVStream& stream, const std::filesystem::path& path) {
  const AVCodecID id = stream.codecpar->codec_id;
  const bool may_be_transparent = id == AV_CODEC_ID_VP8 || id == AV_CODEC_ID_VP9;
  if (may_be_transparent && dictionary_value(stream.metadata, "alpha_mode") == "1") {
    const AVCodec* libvpx = avcodec_find_decoder_by_name(id == AV_CODEC_ID_VP8 ? "libvpx" : "libvpx-vp9");
    if (libvpx != nullptr) return libvpx;
    log::warn("{}: transparent video: what lies behind shows, as this FFmpeg has no libvpx", path.string());
  }
  return avcodec_find_decoder(id);
}

/// TGA files begin with nothing that tells them: the name does, and a header that makes sense. Source: Truevision TGA
/// file format specification 2.0, fields 2, 3 and 5.6.
bool is_tga(const std::filesystem::path& path) {
  if (lower_extension(path) != ".tga") return false;
  char header[18] = "";
  std::ifstream(path, std::ios::binary).read(header, sizeof header);
  const int map = header[1], kind = header[2] & ~8, depth = header[16];  // 8: run lengths
  return (map == 0 || map == 1) && kind >= 1 && kind <= 3 &&
         (depth == 8 || depth == 15 || depth == 16 || depth == 24 || depth == 32);
}

/// The codec of a picture that FFmpeg knows by its name alone; none for others.
AVCodecID codec_by_name(const std::filesystem::path& path) {
  if (is_tga(path)) return AV_CODEC_ID_TARGA;
  std::string start(1024, '\0');
  std::ifstream(path, std::ios::binary).read(start.data(), static_cast<std::streamsize>(start.size()));
  const std::string extension = lower_extension(path);
  if (extension == ".pam" && start.starts_with("P7\n")) return AV_CODEC_ID_PAM;
  if (extension == ".svg" && start.find("<svg") != start.npos) return AV_CODEC_ID_SVG;
  return AV_CODEC_ID_NONE;
}

}  // namespace

void CloseInput::operator()(AVFormatContext* input) const {
  AVIOContext* file = input->pb;
  avformat_close_input(&input);
  avio_closep(&file);
}

void CloseOutput::operator()(AVFormatContext* output) const {
  avio_closep(&output->pb);
  avformat_free_context(output);
}

std::string take_message() { return std::exchange(last_message, {}); }

void Options::set(const std::string& name, const std::string& value) {
  if (av_dict_set(&dictionary_, name.c_str(), value.c_str(), 0) < 0) throw std::bad_alloc();
}

int check(int code, ErrorKind kind, const std::string& what) {
  // While reading, a damaged file that claims an absurd size is more likely.
  if (code == AVERROR(ENOMEM) && kind != ErrorKind::input) fail(ErrorKind::device, what + ": out of memory");
  if (code < 0) fail(kind, fmt::format("{}: {}", what, reason(code)));
  last_message.clear();
  return code;
}

FramePtr make_frame() { return FramePtr(allocated(av_frame_alloc())); }

PacketPtr make_packet() { return PacketPtr(allocated(av_packet_alloc())); }

FramePtr make_picture(AVPixelFormat format, int width, int height) {
  FramePtr frame = make_frame();
  frame->format = format;
  frame->width = width;
  frame->height = height;
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  return frame;
}

InputPtr open_input(const std::filesystem::path& path) {
  check_is_media_file(path);
  const std::string what = fmt::format("{}: cannot read", path.string());
  AVIOContext* file = nullptr;
  check(avio_open(&file, url_of(path).c_str(), AVIO_FLAG_READ), ErrorKind::input, what);
  AVFormatContext* context = avformat_alloc_context();
  if (context == nullptr) {
    avio_closep(&file);
    throw std::bad_alloc();
  }
  context->pb = file;
  context->flags |= AVFMT_FLAG_CUSTOM_IO;  // the file is ours to close, also when opening fails
  Options options;
  options.set("protocol_whitelist", "file");
  const AVInputFormat* format = nullptr;  // by content
  if (const AVCodecID codec = codec_by_name(path); codec != AV_CODEC_ID_NONE) {
    format = av_find_input_format("image2pipe");
    context->video_codec_id = codec;
  }
  const int code = avformat_open_input(&context, "", format, options.get());
  if (code < 0) avio_closep(&file);
  check(code, ErrorKind::input, what);
  return InputPtr(context);
}

int64_t time_of(const AVPacket& packet) { return packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts; }

InputPtr open_streams(const std::filesystem::path& path) {
  InputPtr input = open_input(path);
  check(avformat_find_stream_info(input.get(), nullptr), ErrorKind::input,
        fmt::format("{}: cannot read", path.string()));
  return input;
}

CodecPtr open_decoder(const AVStream& stream, const std::filesystem::path& path) {
  const AVCodecID id = stream.codecpar->codec_id;
  if (id == AV_CODEC_ID_NONE) fail(ErrorKind::input, fmt::format("{}: cannot read: damaged or cut off", path.string()));
  const AVCodec* decoder = decoder_of(stream, path);
  if (decoder == nullptr) {
    fail(ErrorKind::input, fmt::format("{}: this FFmpeg cannot decode {}", path.string(), avcodec_get_name(id)));
  }
  CodecPtr codec(allocated(avcodec_alloc_context3(decoder)));
  const std::string what = fmt::format("{}: cannot decode", path.string());
  check(avcodec_parameters_to_context(codec.get(), stream.codecpar), ErrorKind::input, what);
  codec->max_pixels = kMaxPixels;  // refused before memory is allocated
  codec->thread_count = 0;         // one per core
  // Not one thread per frame: a frame could then be returned before its damage is known.
  codec->thread_type = FF_THREAD_SLICE;
  codec->pkt_timebase = stream.time_base;
  check(avcodec_open2(codec.get(), decoder, nullptr), ErrorKind::input, what);
  return codec;
}

OutputPtr open_output(const std::filesystem::path& path, const char* format_name) {
  const std::string what = fmt::format("{}: cannot write", path.string());
  AVFormatContext* context = nullptr;
  check(avformat_alloc_output_context2(&context, nullptr, format_name, url_of(path).c_str()), ErrorKind::output, what);
  OutputPtr output(context);
  output->flags |= AVFMT_FLAG_BITEXACT;
  check(avio_open(&output->pb, output->url, AVIO_FLAG_WRITE), ErrorKind::output, what);
  return output;
}

CodecPtr make_encoder(const char* name, const std::string& hint) {
  const AVCodec* encoder = avcodec_find_encoder_by_name(name);
  if (encoder == nullptr) fail(ErrorKind::output, fmt::format("this FFmpeg has no {} encoder", name), hint);
  CodecPtr codec(allocated(avcodec_alloc_context3(encoder)));
  codec->flags |= AV_CODEC_FLAG_BITEXACT;
  return codec;
}

const int32_t* display_matrix(const AVStream& stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)  // FFmpeg 6.1
  const AVPacketSideData* data = av_packet_side_data_get(
      stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return data != nullptr ? reinterpret_cast<const int32_t*>(data->data) : nullptr;
#else
  return reinterpret_cast<const int32_t*>(av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr));
#endif
}

const int32_t* display_matrix(const AVFrame& frame) {
  const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  return data != nullptr ? reinterpret_cast<const int32_t*>(data->data) : nullptr;
}

std::string dictionary_value(const AVDictionary* dictionary, const char* key) {
  const AVDictionaryEntry* entry = av_dict_get(dictionary, key, nullptr, 0);
  return entry != nullptr ? entry->value : "";
}

}  // namespace faststar::ffmpeg
