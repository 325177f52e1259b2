#include "core/media/video_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/media/colour.h"
#include "core/media/ffmpeg.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;

const char* encoder_name(const VideoEncoding& encoding) { return encoding.lossless ? "ffv1" : "libx264"; }

// ffv1 stores RGB; only the order of the bytes changes.
StoredColour stored_colour(const VideoEncoding& encoding) {
  if (encoding.lossless) return {AV_PIX_FMT_BGR0, AVCOL_RANGE_JPEG};
  return {AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG};
}

const char* container_of(const fs::path& path, const VideoEncoding& encoding) {
  const char* const container = ffmpeg::container_name(path);
  const bool mkv = container != nullptr && std::string_view(container) == "matroska";
  if (encoding.lossless && !mkv) {
    fail(ErrorKind::usage, fmt::format("{}: lossless video needs a name that ends in .mkv", path.string()),
         fmt::format("-o '{}'", fs::path(path).replace_extension(".mkv").string()));
  }
  if (container != nullptr) return container;
  fail(ErrorKind::usage, fmt::format("{}: expected a name that ends in .mp4 or .mkv", path.string()));
}

void check_h264(const VideoFormat& format, const VideoEncoding& encoding) {
  if (format.width % 2 != 0 || format.height % 2 != 0) {
    fail(ErrorKind::usage,
         fmt::format("{}x{}: H.264 with yuv420p needs an even width and height", format.width, format.height),
         "--lossless supports any size");
  }
  if (encoding.crf < 0 || encoding.crf > 51) {
    fail(ErrorKind::usage, fmt::format("--crf {}: expected 0 (best) to 51", encoding.crf));
  }
}

ffmpeg::CodecPtr make_encoder(const VideoEncoding& encoding) {
  const char* hint =
      encoding.lossless ? "--frames-dir DIR works without it" : "--lossless and --frames-dir DIR work without it";
  return ffmpeg::make_encoder(encoder_name(encoding), hint);
}

void tag_colour(AVCodecContext& codec, const StoredColour& colour) {
  codec.pix_fmt = colour.format;
  codec.color_range = colour.range;
  if (colour.format != AV_PIX_FMT_YUV420P) return;
  codec.colorspace = AVCOL_SPC_SMPTE170M;
  codec.color_primaries = AVCOL_PRI_SMPTE170M;
  codec.color_trc = AVCOL_TRC_SMPTE170M;
  codec.chroma_sample_location = AVCHROMA_LOC_LEFT;
}

ffmpeg::CodecPtr open_encoder(const VideoFormat& format, const VideoEncoding& encoding, const AVFormatContext& output) {
  ffmpeg::CodecPtr codec = make_encoder(encoding);
  codec->width = format.width;
  codec->height = format.height;
  codec->time_base = {1, format.fps};
  codec->framerate = {format.fps, 1};
  codec->thread_count = 0;  // one per core
  tag_colour(*codec, stored_colour(encoding));
  if ((output.oformat->flags & AVFMT_GLOBALHEADER) != 0) codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  ffmpeg::Options options;
  if (!encoding.lossless) {
    options.set("preset", std::string(kH264Presets[static_cast<size_t>(encoding.preset)]));
    options.set("crf", std::to_string(encoding.crf));
  }
  ffmpeg::check(avcodec_open2(codec.get(), codec->codec, options.get()), ErrorKind::output,
                fmt::format("cannot start the {} encoder", encoder_name(encoding)));
  return codec;
}

AVStream& add_stream(AVFormatContext& output, const AVCodecContext& codec) {
  AVStream* stream = avformat_new_stream(&output, nullptr);
  if (stream == nullptr || avcodec_parameters_from_context(stream->codecpar, &codec) < 0) throw std::bad_alloc();
  stream->time_base = codec.time_base;
  stream->avg_frame_rate = codec.framerate;
  return *stream;
}

}  // namespace

void check_video_output(const fs::path& path, const VideoFormat& format, const VideoEncoding& encoding) {
  container_of(path, encoding);
  if (format.width <= 0 || format.height <= 0 || format.fps <= 0) {
    fail(ErrorKind::internal, fmt::format("{}: cannot write a video of {}x{} at {} frames per second", path.string(),
                                          format.width, format.height, format.fps));
  }
  if (!encoding.lossless) check_h264(format, encoding);
  make_encoder(encoding);
}

struct VideoWriter::Parts {
  Parts(const fs::path& path, const VideoFormat& format, const VideoEncoding& encoding, const VideoExtras& extras,
        Existing existing);
  void encode(const AVFrame* frame);
  void complete();
  int check(int code) const { return ffmpeg::check(code, ErrorKind::output, what); }

  VideoFormat format;
  std::string what;  // how messages begin
  AtomicFile file;
  ffmpeg::OutputPtr output;  // closed before `file` goes
  ffmpeg::CodecPtr codec;
  AVStream* stream;
  FromRgb from_rgb;
  ffmpeg::PacketPtr packet = ffmpeg::make_packet();
  int64_t frames = 0;
  bool is_complete = false;
};

VideoWriter::Parts::Parts(const fs::path& path, const VideoFormat& video_format, const VideoEncoding& encoding,
                          const VideoExtras& extras, Existing existing)
    : format(video_format),
      what(fmt::format("{}: cannot write", path.string())),
      file(path, existing),
      output(ffmpeg::open_output(file.temporary(), container_of(path, encoding))),
      codec(open_encoder(format, encoding, *output)),
      stream(&add_stream(*output, *codec)),
      from_rgb(format.width, format.height, stored_colour(encoding)) {
  const AVStream* sound = extras.sound ? &extras.sound->add_stream(*output) : nullptr;
  if (!extras.comment.empty()) check(av_dict_set(&output->metadata, "comment", extras.comment.c_str(), 0));
  ffmpeg::Options options;
  options.set("movflags", "+faststart");
  check(avformat_write_header(output.get(), options.get()));
  if (sound != nullptr) extras.sound->write(*output, *sound);
}

/// nullptr flushes the encoder.
void VideoWriter::Parts::encode(const AVFrame* frame) {
  check(avcodec_send_frame(codec.get(), frame));
  while (true) {
    const int code = avcodec_receive_packet(codec.get(), packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    check(code);
    packet->stream_index = stream->index;
    packet->duration = 1;
    av_packet_rescale_ts(packet.get(), codec->time_base, stream->time_base);
    check(av_interleaved_write_frame(output.get(), packet.get()));
  }
}

void VideoWriter::Parts::complete() {
  encode(nullptr);
  check(av_write_trailer(output.get()));
  check(output->pb->error);
  check(avio_closep(&output->pb));
  is_complete = true;
}

VideoWriter::VideoWriter(const fs::path& path, const VideoFormat& format, const VideoEncoding& encoding,
                         const VideoExtras& extras, Existing existing) {
  check_video_output(path, format, encoding);
  parts_ = std::make_unique<Parts>(path, format, encoding, extras, existing);
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::write(const Tensor& frames) {
  check_frames(frames);
  if (!parts_ || parts_->is_complete) fail(ErrorKind::internal, "a frame was written after the video was finished");
  const auto& format = parts_->format;
  if (frames.size(1) != format.height || frames.size(2) != format.width) {
    fail(ErrorKind::internal,
         fmt::format("frames {}: expected {} high, {} wide", shape_text(frames.sizes()), format.height, format.width));
  }
  const auto* pixels = frames.const_data_ptr<uint8_t>();
  for (int64_t i = 0; i < frames.size(0); ++i) {
    const auto picture = parts_->from_rgb(pixels + i * frames.stride(0));
    picture->pts = parts_->frames++;
    parts_->encode(picture.get());
  }
}

void VideoWriter::complete() {
  if (!parts_ || parts_->frames == 0) fail(ErrorKind::internal, "a video without frames cannot be finished");
  parts_->complete();
}

void VideoWriter::publish() {
  parts_->file.commit();
  parts_.reset();
}

}  // namespace faststar
