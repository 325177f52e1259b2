#include "core/media/video_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/media/colour.h"
#include "core/media/ffmpeg.h"
#include "core/media/filter.h"
#include "core/media/video_kind.h"

namespace faststar {
namespace fs = std::filesystem;

/// Packets whose time stamps count from the start of the part.
struct SoundTrack {
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

  ffmpeg::ParametersPtr parameters;
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

void check_format(const VideoFormat& format, const VideoKind& kind) {
  const bool is_odd = format.width % 2 != 0 || format.height % 2 != 0;
  if (!is_odd || kind.colour.format != AV_PIX_FMT_YUV420P) return;
  fail(ErrorKind::usage,
       fmt::format("{}x{}: {} needs an even width and height", format.width, format.height,
                   kind.has_speed ? "H.264 with yuv420p" : kind.suffix),
       "--lossless supports any size");
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

ffmpeg::CodecPtr open_encoder(const VideoFormat& format, const VideoEncoding& encoding, const VideoKind& kind,
                              const AVFormatContext& output) {
  ffmpeg::CodecPtr codec = make_encoder(kind);
  codec->width = format.width;
  codec->height = format.height;
  codec->time_base = {1, format.fps};
  codec->framerate = {format.fps, 1};
  codec->thread_count = 0;  // one per core
  tag_colour(*codec, kind.colour);
  if (needs_palette(kind)) codec->pix_fmt = AV_PIX_FMT_PAL8;
  if ((output.oformat->flags & AVFMT_GLOBALHEADER) != 0) codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  ffmpeg::Options options;
  set_encoder_options(kind, encoding, *codec, options);
  ffmpeg::check(avcodec_open2(codec.get(), codec->codec, options.get()), ErrorKind::output,
                fmt::format("cannot start the {} encoder", codec->codec->name));
  return codec;
}

AVStream& add_stream(AVFormatContext& output, const AVCodecContext& codec) {
  AVStream* stream = avformat_new_stream(&output, nullptr);
  if (stream == nullptr || avcodec_parameters_from_context(stream->codecpar, &codec) < 0) throw std::bad_alloc();
  stream->time_base = codec.time_base;
  stream->avg_frame_rate = codec.framerate;
  return *stream;
}

class VideoWriter final : public FrameSink {
 public:
  VideoWriter(const fs::path& path, const VideoFormat& format, const VideoEncoding& encoding, const VideoExtras& extras,
              Existing existing)
      : format_(format),
        kind_(video_kind(path, encoding)),
        what_(fmt::format("{}: cannot write", path.string())),
        file_(std::in_place, path, existing),
        output_(ffmpeg::open_output(file_->temporary(), kind_.container)),
        codec_(open_encoder(format, encoding, kind_, *output_)),
        stream_(add_stream(*output_, *codec_)),
        from_rgb_(format.width, format.height, kind_.colour) {
    const AVStream* sound = extras.sound ? &extras.sound->add_stream(*output_) : nullptr;
    if (!extras.comment.empty()) check(av_dict_set(&output_->metadata, "comment", extras.comment.c_str(), 0));
    ffmpeg::Options options;
    options.set("movflags", "+faststart");
    options.set("loop", "0");  // of an animation: for ever
    check(avformat_write_header(output_.get(), options.get()));
    if (sound != nullptr) extras.sound->write(*output_, *sound);
  }

  void write(const Tensor& frames) override {
    if (is_complete_) fail(ErrorKind::internal, "a frame was written after the video was finished");
    const bool planes = holds_planes(frames);
    if (!planes) check_rgb(frames);
    const auto* pixels = frames.const_data_ptr<uint8_t>();
    for (int64_t i = 0; i < frames.size(0); ++i, pixels += frames.stride(0)) {
      const auto picture = planes ? picture_of_planes(pixels, format_.width, format_.height) : from_rgb_(pixels);
      picture->pts = picture->best_effort_timestamp = frames_++;
      if (needs_palette(kind_)) {
        collect(*picture);
      } else {
        encode(picture.get());
      }
    }
  }

  void complete() override {
    if (frames_ == 0) fail(ErrorKind::internal, "a video without frames cannot be finished");
    if (palette_) encode_collected();
    encode(nullptr);
    check(av_write_trailer(output_.get()));
    check(output_->pb->error);
    check(avio_closep(&output_->pb));
    is_complete_ = true;
  }

  void publish() override {
    file_->commit();
    file_.reset();  // another video may have its name from now on
  }

 private:
  /// True when frames are planes that the encoder takes as they are.
  bool holds_planes(const Tensor& frames) const {
    return codec_->pix_fmt == AV_PIX_FMT_YUV420P && frames.scalar_type() == at::kByte && frames.dim() == 3 &&
           frames.size(1) == format_.height / 2 * 3 && frames.size(2) == format_.width && frames.is_cpu() &&
           frames.is_contiguous();
  }

  void check_rgb(const Tensor& frames) const {
    check_frames(frames);
    if (frames.size(1) == format_.height && frames.size(2) == format_.width) return;
    fail(ErrorKind::internal, fmt::format("frames {}: expected {} high, {} wide", shape_text(frames.sizes()),
                                          format_.height, format_.width));
  }

  /// Colours can be chosen when all frames are known.
  void collect(const AVFrame& picture) {
    if (!palette_) {
      palette_ = std::make_unique<ffmpeg::FilterGraph>(ffmpeg::FilterLibrary::system(), kPaletteChain, picture,
                                                       codec_->time_base, what_, ErrorKind::output);
    }
    palette_->send(&picture);
  }

  void encode_collected() {
    palette_->send(nullptr);
    while (const auto picture = palette_->receive()) encode(picture.get());
  }

  /// nullptr flushes the encoder.
  void encode(const AVFrame* frame) {
    check(avcodec_send_frame(codec_.get(), frame));
    while (true) {
      const int code = avcodec_receive_packet(codec_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code);
      packet_->stream_index = stream_.index;
      packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_.time_base);
      check(av_interleaved_write_frame(output_.get(), packet_.get()));
    }
  }

  int check(int code) const { return ffmpeg::check(code, ErrorKind::output, what_); }

  VideoFormat format_;
  const VideoKind& kind_;
  std::string what_;  // how messages begin
  std::optional<AtomicFile> file_;
  ffmpeg::OutputPtr output_;  // closed before `file_` goes
  ffmpeg::CodecPtr codec_;
  AVStream& stream_;
  FromRgb from_rgb_;
  std::unique_ptr<ffmpeg::FilterGraph> palette_;
  ffmpeg::PacketPtr packet_ = ffmpeg::make_packet();
  int64_t frames_ = 0;
  bool is_complete_ = false;
};

/// "2 sound tracks"; empty for none.
std::string tracks_text(int64_t count, const char* kind) {
  return count == 0 ? "" : fmt::format("{} {} track{}", count, kind, count == 1 ? "" : "s");
}

/// What a video has beside its pictures and the sound in stream `sound` does not go along.
void say_left_out(const AVFormatContext& input, int sound, const fs::path& file) {
  int64_t sounds = 0, subtitles = 0;
  for (int i = 0; i < static_cast<int>(input.nb_streams); ++i) {
    const AVMediaType type = input.streams[i]->codecpar->codec_type;
    sounds += type == AVMEDIA_TYPE_AUDIO && i != sound ? 1 : 0;
    subtitles += type == AVMEDIA_TYPE_SUBTITLE ? 1 : 0;
  }
  if (sounds + subtitles == 0) return;
  log::warn("{}: dropped: {}{}{}", file.string(), tracks_text(sounds, "other sound"),
            sounds > 0 && subtitles > 0 ? " and " : "", tracks_text(subtitles, "subtitle"));
}

}  // namespace

void drop_sound(const fs::path& video, const char* why) {
  const ffmpeg::InputPtr input = ffmpeg::open_streams(video);
  const int index = av_find_best_stream(input.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
  say_left_out(*input, index, video);
  if (index >= 0) log::warn("{}: sound dropped: {}", video.string(), why);
}

std::shared_ptr<const SoundTrack> read_sound(const SoundPart& part, const fs::path& video,
                                             const VideoEncoding& encoding) {
  const ffmpeg::InputPtr input = ffmpeg::open_streams(part.file);
  const int index = av_find_best_stream(input.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
  say_left_out(*input, index, part.file);
  if (index < 0) return nullptr;
  const AVStream& stream = *input->streams[index];
  auto track = read_track(*input, stream, part);
  if (!track->packets.empty() && can_hold(video_kind(video, encoding).container, *track)) return track;
  log::warn("{}: sound dropped: {}", part.file.string(),
            track->packets.empty() ? "there is none in the part that is kept"
                                   : fmt::format("{} cannot be stored in {}",
                                                 avcodec_get_name(stream.codecpar->codec_id), lower_extension(video)));
  return nullptr;
}

void check_video_output(const fs::path& path, const VideoFormat& format, const VideoEncoding& encoding) {
  const VideoKind& kind = video_kind(path, encoding);
  check_format(format, kind);
  make_encoder(kind);
}

bool takes_planes(const fs::path& path, const VideoEncoding& encoding) {
  return video_kind(path, encoding).colour.format == AV_PIX_FMT_YUV420P;
}

VideoUse video_use(const fs::path& path, const VideoEncoding& encoding) {
  const VideoKind& kind = video_kind(path, encoding);
  return {kind.has_speed, kind.has_quality, kind.holds_comment};
}

VideoFormat video_format(PixelSize size, double fps) {
  return {.width = static_cast<int>(size.width),
          .height = static_cast<int>(size.height),
          .fps = std::max(1, static_cast<int>(std::lround(fps)))};
}

std::unique_ptr<FrameSink> make_video_writer(const fs::path& path, const VideoFormat& format,
                                             const VideoEncoding& encoding, const VideoExtras& extras,
                                             Existing existing) {
  check_video_output(path, format, encoding);
  return std::make_unique<VideoWriter>(path, format, encoding, extras, existing);
}

}  // namespace faststar
