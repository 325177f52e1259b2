#include "core/media/sound_track.h"

#include <fmt/format.h>

#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/log.h"
#include "core/media/ffmpeg.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

struct FreeParameters {
  void operator()(AVCodecParameters* parameters) const { avcodec_parameters_free(&parameters); }
};

/// Packets whose time stamps count from the start of the part.
class PacketTrack final : public SoundTrack {
 public:
  AVStream& add_stream(AVFormatContext& output) const override;
  void write(AVFormatContext& output, const AVStream& stream) const override;

  std::unique_ptr<AVCodecParameters, FreeParameters> parameters;
  AVRational time_base = {1, 1};
  std::vector<ffmpeg::PacketPtr> packets;
};

AVStream& PacketTrack::add_stream(AVFormatContext& output) const {
  AVStream* stream = avformat_new_stream(&output, nullptr);
  if (stream == nullptr || avcodec_parameters_copy(stream->codecpar, parameters.get()) < 0) throw std::bad_alloc();
  stream->time_base = time_base;
  return *stream;
}

void PacketTrack::write(AVFormatContext& output, const AVStream& stream) const {
  for (const auto& original : packets) {
    const ffmpeg::PacketPtr packet = ffmpeg::make_packet();
    if (av_packet_ref(packet.get(), original.get()) < 0) throw std::bad_alloc();
    packet->stream_index = stream.index;
    av_packet_rescale_ts(packet.get(), time_base, stream.time_base);
    ffmpeg::check(av_interleaved_write_frame(&output, packet.get()), ErrorKind::output, "cannot write the sound");
  }
}

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

std::shared_ptr<PacketTrack> read_track(AVFormatContext& input, const AVStream& stream, const SoundPart& part) {
  auto track = std::make_shared<PacketTrack>();
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
bool can_hold(const char* container, const PacketTrack& track) {
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

}  // namespace faststar
