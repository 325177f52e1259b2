#include "core/media/video_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/base/log.h"
#include "core/media/colour.h"
#include "core/media/ffmpeg.h"

namespace faststar {
namespace fs = std::filesystem;

/// Packets whose time stamps count from the start of the part.
struct SoundTrack {
  struct FreeParameters {
    void operator()(AVCodecParameters* parameters) const { avcodec_parameters_free(&parameters); }
  };

  /// Adds a stream for it to a container whose header is not written yet.
  AVStream& add_stream(AVFormatContext& output) const {
    AVStream* stream = avformat_new_stream(&output, nullptr);
    if (stream == nullptr || avcodec_parameters_copy(stream->codecpar, parameters.get()) < 0) throw std::bad_alloc();
    stream->time_base = time_base;
    return *stream;
  }

  /// Writes all packets, once the header is written. Throws Error(output).
  void write(AVFormatContext& output, const AVStream& stream) const {
    for (const auto& original : packets) {
      const ffmpeg::PacketPtr packet = ffmpeg::make_packet();
      if (av_packet_ref(packet.get(), original.get()) < 0) throw std::bad_alloc();
      packet->stream_index = stream.index;
      av_packet_rescale_ts(packet.get(), time_base, stream.time_base);
      ffmpeg::check(av_interleaved_write_frame(&output, packet.get()), ErrorKind::output, "cannot write the sound");
    }
  }

  std::unique_ptr<AVCodecParameters, FreeParameters> parameters;
  AVRational time_base = {1, 1};
  std::vector<ffmpeg::PacketPtr> packets;
};

namespace {

/// When the video of `input` begins, in seconds of its clock.
double video_start(const AVFormatContext& input) {
  for (unsigned i = 0; i < input.nb_streams; ++i) {
    const AVStream& stream = *input.streams[i];
    const bool video = stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    if (video && stream.start_time != AV_NOPTS_VALUE) {
      return static_cast<double>(stream.start_time) * av_q2d(stream.time_base);
    }
  }
  return input.start_time == AV_NOPTS_VALUE ? 0 : static_cast<double>(input.start_time) / AV_TIME_BASE;
}

/// The packets of `stream` between two times of its own clock, counted from the first one.
std::vector<ffmpeg::PacketPtr> read_packets(AVFormatContext& input, const AVStream& stream, int64_t begin,
                                            int64_t end) {
  for (unsigned i = 0; i < input.nb_streams; ++i) {  // do not read the pictures of a long film for its sound
    input.streams[i]->discard = input.streams[i] == &stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  std::vector<ffmpeg::PacketPtr> packets;
  ffmpeg::PacketPtr packet = ffmpeg::make_packet();
  while (av_read_frame(&input, packet.get()) >= 0) {
    const int64_t time = ffmpeg::time_of(*packet);
    const bool own = packet->stream_index == stream.index && time != AV_NOPTS_VALUE;
    if (own && time >= end) break;
    if (own && time >= begin) {
      packet->pts = packet->dts = time - begin;
      packet->pos = -1;
      packets.push_back(std::move(packet));
      packet = ffmpeg::make_packet();
    }
    av_packet_unref(packet.get());
  }
  return packets;
}

std::shared_ptr<SoundTrack> read_track(AVFormatContext& input, const AVStream& stream, const SoundPart& part) {
  auto track = std::make_shared<SoundTrack>();
  track->parameters.reset(avcodec_parameters_alloc());
  if (!track->parameters || avcodec_parameters_copy(track->parameters.get(), stream.codecpar) < 0) {
    throw std::bad_alloc();
  }
  track->parameters->codec_tag = 0;  // containers have tags of their own
  track->time_base = stream.time_base;
  const double begin = (video_start(input) + part.start) / av_q2d(stream.time_base);
  const double length = part.seconds / av_q2d(stream.time_base);
  track->packets = read_packets(input, stream, static_cast<int64_t>(begin), static_cast<int64_t>(begin + length));
  return track;
}

/// Tries it in memory: muxers refuse more codecs than their tables say.
bool can_hold(const char* container, const SoundTrack& track) {
  AVFormatContext* context = nullptr;
  if (avformat_alloc_output_context2(&context, nullptr, container, nullptr) < 0) return false;
  if (avio_open_dyn_buf(&context->pb) < 0) {
    avformat_free_context(context);
    return false;
  }
  track.add_stream(*context);
  const bool accepted = avformat_write_header(context, nullptr) >= 0;
  uint8_t* bytes = nullptr;
  avio_close_dyn_buf(context->pb, &bytes);
  av_free(bytes);
  context->pb = nullptr;
  avformat_free_context(context);
  return accepted;
}

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

std::shared_ptr<const SoundTrack> read_sound(const SoundPart& part, const fs::path& video) {
  const ffmpeg::InputPtr input = ffmpeg::open_streams(part.file);
  const int index = av_find_best_stream(input.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
  if (index < 0) return nullptr;
  const AVStream& stream = *input->streams[index];
  auto track = read_track(*input, stream, part);
  if (!track->packets.empty() && can_hold(ffmpeg::container_name(video), *track)) return track;
  log::warn("{}: sound dropped: {}", part.file.string(),
            track->packets.empty() ? "there is none in the part that is kept"
                                   : fmt::format("{} cannot be stored in {}",
                                                 avcodec_get_name(stream.codecpar->codec_id), lower_extension(video)));
  return nullptr;
}

void check_video_output(const fs::path& path, const VideoFormat& format, const VideoEncoding& encoding) {
  container_of(path, encoding);
  if (format.width <= 0 || format.height <= 0 || format.fps <= 0) {
    fail(ErrorKind::internal, fmt::format("{}: cannot write a video of {}x{} at {} frames per second", path.string(),
                                          format.width, format.height, format.fps));
  }
  if (!encoding.lossless) check_h264(format, encoding);
  make_encoder(encoding);
}

VideoFormat video_format(PixelSize size, double fps) {
  return {.width = static_cast<int>(size.width),
          .height = static_cast<int>(size.height),
          .fps = std::max(1, static_cast<int>(std::lround(fps)))};
}

struct VideoWriter::Parts {
  Parts(const fs::path& path, const VideoFormat& video_format, const VideoEncoding& encoding, const VideoExtras& extras,
        Existing existing)
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
  void encode(const AVFrame* frame) {
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

  void complete() {
    encode(nullptr);
    check(av_write_trailer(output.get()));
    check(output->pb->error);
    check(avio_closep(&output->pb));
    is_complete = true;
  }

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
