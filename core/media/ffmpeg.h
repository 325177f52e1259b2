#pragma once
// libav, wrapped once: owning pointers, errors, and the differences between FFmpeg 5, 6 and 7. Included by
// sources of core/media only.
extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/error.h"

namespace faststar::ffmpeg {

/// Largest picture or frame that is decoded. Cameras make up to 100 megapixels; each pixel takes up
/// to 15 bytes on its way to RGB.
inline constexpr int64_t kMaxPixels = int64_t{1} << 27;

struct Free {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVCodecParameters* parameters) const { avcodec_parameters_free(&parameters); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
/// Closes the file as well as the container.
struct CloseInput {
  void operator()(AVFormatContext* input) const;
};
struct CloseOutput {
  void operator()(AVFormatContext* output) const;
};

using FramePtr = std::unique_ptr<AVFrame, Free>;
using PacketPtr = std::unique_ptr<AVPacket, Free>;
using CodecPtr = std::unique_ptr<AVCodecContext, Free>;
using ParametersPtr = std::unique_ptr<AVCodecParameters, Free>;
using ScalerPtr = std::unique_ptr<SwsContext, Free>;
using InputPtr = std::unique_ptr<AVFormatContext, CloseInput>;
using OutputPtr = std::unique_ptr<AVFormatContext, CloseOutput>;

/// Options for a libav call, which removes those that it knows.
class Options {
 public:
  Options() = default;
  ~Options() { av_dict_free(&dictionary_); }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  void set(const std::string& name, const std::string& value);
  AVDictionary** get() { return &dictionary_; }

 private:
  AVDictionary* dictionary_ = nullptr;
};

/// Returns `code` when it is not negative. Else throws Error(kind) "<what>: <reason>" with libav's last message on this
/// thread, or Error(device) when memory ran out, except while reading.
int check(int code, ErrorKind kind, const std::string& what);

/// What libav last complained of on this thread, which is then forgotten; empty without.
std::string take_message();

/// An empty frame or packet. Throw std::bad_alloc.
FramePtr make_frame();
PacketPtr make_packet();
/// A picture with memory, its lines padded for swscale. Throws std::bad_alloc.
FramePtr make_picture(AVPixelFormat format, int width, int height);

/// The presentation time of `packet` in its stream's unit; the decoding time where the container has no other.
int64_t time_of(const AVPacket& packet);

/// Opens a file by its content, not by its name ("%03d" and "a:b" are plain characters), but for TGA. Containers that
/// refer to other files are refused. Throws Error(input), and as check_is_media_file.
InputPtr open_input(const std::filesystem::path& path);
/// The same, with its streams probed. Throws Error(input).
InputPtr open_streams(const std::filesystem::path& path);
/// A decoder for `stream`, with one thread per slice. Throws Error(input) naming `path` when FFmpeg has none.
CodecPtr open_decoder(const AVStream& stream, const std::filesystem::path& path);

/// A container of `format_name` that will be written to `path`; the file is open, the header not written.
/// The same input gives the same bytes (no dates, no library versions). Throws Error(output).
OutputPtr open_output(const std::filesystem::path& path, const char* format_name);

/// An encoder that is not open yet. Throws Error(output) naming it, with `hint`, when this FFmpeg has none.
CodecPtr make_encoder(const char* name, const std::string& hint);

/// The 3x3 display matrix by which a picture is to be turned; nullptr when it is upright.
const int32_t* display_matrix(const AVStream& stream);
const int32_t* display_matrix(const AVFrame& frame);

/// The value of `key` (case does not matter), or empty.
std::string dictionary_value(const AVDictionary* dictionary, const char* key);

}  // namespace faststar::ffmpeg
