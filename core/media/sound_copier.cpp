#include "core/media/sound_copier.h"

#include <fmt/format.h>

#include "core/log.h"
#include "core/media/extension.h"

namespace faststar {
namespace {

/// The stream that a player would play; nullptr without sound.
const AVStream* find_stream(AVFormatContext& input) {
  const int index = av_find_best_stream(&input, AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
  return index < 0 ? nullptr : input.streams[index];
}

AVStream* add_copy(AVFormatContext& output, const AVStream& stream) {
  AVStream* copy = avformat_new_stream(&output, nullptr);
  if (copy == nullptr || avcodec_parameters_copy(copy->codecpar, stream.codecpar) < 0) throw std::bad_alloc();
  copy->codecpar->codec_tag = 0;  // each container has its own
  copy->time_base = stream.time_base;
  return copy;
}

int64_t timestamp(double seconds, const AVStream& stream) {
  const int64_t start = stream.start_time == AV_NOPTS_VALUE ? 0 : stream.start_time;
  return start + static_cast<int64_t>(seconds / av_q2d(stream.time_base));
}

}  // namespace

const char* container_name(const std::filesystem::path& video) {
  const std::string extension = lower_extension(video);
  if (extension == ".mp4") return "mp4";
  return extension == ".mkv" ? "matroska" : nullptr;
}

std::optional<SoundTrack> usable_sound(const SoundTrack& track, const std::filesystem::path& video) {
  const ffmpeg::InputPtr input = ffmpeg::open_input(track.file);
  const AVStream* stream = find_stream(*input);
  if (stream == nullptr) return std::nullopt;
  const AVOutputFormat* container = av_guess_format(container_name(video), nullptr, nullptr);
  const AVCodecID codec = stream->codecpar->codec_id;
  if (container != nullptr && avformat_query_codec(container, codec, FF_COMPLIANCE_NORMAL) == 1) return track;
  log::warn("{}: its sound is dropped: {} does not fit into {}", track.file.string(), avcodec_get_name(codec),
            lower_extension(video));
  return std::nullopt;
}

SoundCopier::SoundCopier(const SoundTrack& track, AVFormatContext& output)
    : track_(track), input_(ffmpeg::open_input(track.file)), from_(find_stream(*input_)), to_(nullptr) {
  if (from_ == nullptr) fail(ErrorKind::input, fmt::format("{}: no sound in it", track.file.string()));
  to_ = add_copy(output, *from_);
}

void SoundCopier::write(AVFormatContext& output) {
  const int64_t begin = timestamp(track_.start, *from_);
  const int64_t end = timestamp(track_.start + track_.seconds, *from_);
  const ffmpeg::PacketPtr packet = ffmpeg::make_packet();
  while (true) {
    const int code = av_read_frame(input_.get(), packet.get());
    if (code == AVERROR_EOF) return;
    ffmpeg::check(code, ErrorKind::input, fmt::format("{}: cannot read its sound", track_.file.string()));
    const bool sound = packet->stream_index == from_->index;
    if (sound && packet->pts >= end) return;
    if (!sound || packet->pts < begin) {
      av_packet_unref(packet.get());
      continue;
    }
    packet->pts -= begin;
    packet->dts = packet->pts;
    packet->stream_index = to_->index;
    packet->pos = -1;
    av_packet_rescale_ts(packet.get(), from_->time_base, to_->time_base);
    ffmpeg::check(av_interleaved_write_frame(&output, packet.get()), ErrorKind::output, "cannot write the sound");
  }
}

}  // namespace faststar
