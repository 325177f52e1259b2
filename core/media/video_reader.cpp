#include "core/media/video_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/media/colour.h"
#include "core/media/colour_profile.h"
#include "core/media/ffmpeg.h"
#include "core/media/filter.h"
#include "core/media/frame_list.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

AVStream& video_stream(AVFormatContext& input, const fs::path& path) {
  const int index = av_find_best_stream(&input, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  // libav reports the cover picture of a music file as video.
  if (index < 0 || (input.streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
    fail(ErrorKind::input, fmt::format("{}: contains no video", path.string()));
  }
  return *input.streams[index];
}

double frames_a_second(const AVStream& stream, const fs::path& path) {
  const AVRational rate = stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
  if (rate.num <= 0 || rate.den <= 0) fail(ErrorKind::input, fmt::format("{}: has no frame rate", path.string()));
  return av_q2d(rate);
}

/// True when every packet is one frame that is shown (VP8 has hidden ones, interlaced video may have halves) and the
/// container seeks to its keyframes reliably.
bool can_skip_ahead(const AVInputFormat& container, const AVCodecParameters& video) {
  const std::string_view name = container.name;
  if (name.find("mov") == name.npos && name.find("matroska") == name.npos) return false;
  if (video.field_order != AV_FIELD_UNKNOWN && video.field_order != AV_FIELD_PROGRESSIVE) return false;
  constexpr std::array kCodecs = {AV_CODEC_ID_H264,  AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1,   AV_CODEC_ID_VP9,
                                  AV_CODEC_ID_MPEG4, AV_CODEC_ID_FFV1, AV_CODEC_ID_MJPEG, AV_CODEC_ID_PRORES};
  return std::ranges::find(kCodecs, video.codec_id) != kCodecs.end();
}

/// Frames a second by the time stamps; by the container's word where that agrees with them to a frame.
double measured_rate(double declared, const FrameList& list, AVRational time_base) {
  const double measured = 1 / (list.interval() * av_q2d(time_base));
  const bool agrees = std::abs(declared / measured - 1) * static_cast<double>(list.size()) <= 1.5;
  return agrees || !std::isfinite(measured) ? declared : measured;
}

}  // namespace

struct VideoReader::Parts {
  explicit Parts(const fs::path& file)
      : path(file),
        what(fmt::format("{}: cannot read the video", path.string())),
        input(ffmpeg::open_streams(path)),
        stream(&video_stream(*input, path)),
        codec(ffmpeg::open_decoder(*stream, path)),
        to_sdr(path.string()),
        list(*stream, path),
        continuous(*input, *stream) {
    const auto earlier = begin(std::numeric_limits<int64_t>::min());
    if (!earlier) fail(ErrorKind::input, fmt::format("{}: the video has no frames", path.string()));
    never_seen = *earlier;
    const int64_t first = following->best_effort_timestamp;
    origin = first != AV_NOPTS_VALUE ? first : list.first_time();
    read_info();
  }

  void read_info() {
    pixel_shape = av_guess_sample_aspect_ratio(input.get(), stream, following.get());
    const PixelSize size = square_size({following->height, following->width}, pixel_shape);
    info.width = size.width;
    info.height = size.height;
    const int32_t* const matrix = ffmpeg::display_matrix(*stream);
    if (swaps_sides(matrix)) std::swap(info.width, info.height);
    if (!is_quarter_turn(matrix)) log::warn("{}: turned by other than a quarter, which is not undone", path.string());
    info.fps = measured_rate(frames_a_second(*stream, path), list, stream->time_base);
    info.frames = static_cast<int64_t>(list.size());
    info.variable_rate = list.is_uneven();
    info.duration = info.variable_rate ? list.time_shown() * av_q2d(stream->time_base)
                                       : static_cast<double>(info.frames) / info.fps;
  }

  /// Decodes until `following` is the first frame from `time` on. Returns how many earlier frames were sent to the
  /// decoder, which may have dropped them; nothing when there is no frame.
  std::optional<int64_t> begin(int64_t time) {
    sent_times.clear();
    do {
      following = decode();
      if (!following) return std::nullopt;
    } while (following->best_effort_timestamp < time);
    const auto is_earlier = [&](int64_t sent) { return sent < following->best_effort_timestamp; };
    return std::ranges::count_if(sent_times, is_earlier);
  }

  /// Tries to seek to the last keyframe among the first `count` frames of the list that is `early_enough`. False when
  /// it failed: this reader cannot be used any more.
  template <typename EarlyEnough>
  bool skip_ahead(size_t count, EarlyEnough early_enough) {
    size_t key = can_skip_ahead(*input->iformat, *stream->codecpar) ? list.last_key_before(count) : 0;
    if (key == 0 || deinterlacer) return true;  // it is there already; a frame is made of its neighbours' lines, too
    constexpr int kTries = 3;                   // some containers lead to the keyframe after the one asked for
    for (int i = 0; i < kTries && key > 0; ++i) {
      if (!begin_near_key(key)) return false;
      if (early_enough()) return true;
      key = list.last_key_before(key);
    }
    return false;
  }

  /// Seeks to the keyframe at this position of the list, or one near it; false when seeking does not lead there.
  bool begin_near_key(size_t position) {
    if (av_seek_frame(input.get(), stream->index, list.seek_time(position), AVSEEK_FLAG_BACKWARD) < 0) return false;
    avcodec_flush_buffers(codec.get());
    is_drained = false;
    if (!read_packet()) return false;
    const int64_t time = packet->pts;
    const auto found = list.position_of_key(*packet);
    if (!found) return false;
    read_frames = static_cast<int64_t>(*found);
    send_packet(true);
    // Frames that are decoded after the keyframe and shown before it may refer to what was skipped.
    const auto earlier = begin(time);
    if (!earlier || following->best_effort_timestamp != time) return false;
    // Near the end of a file FFmpeg's H.264 decoder then loses later frames, too.
    if (*earlier > 0 && codec->codec_id == AV_CODEC_ID_H264) return false;
    following_time = seconds(*following);
    index = static_cast<int64_t>(*found) + *earlier - never_seen - 1;
    return true;
  }

  /// The next frame in order of presentation, as a whole picture; null at the end.
  ffmpeg::FramePtr decode() {
    while (true) {
      if (deinterlacer) {
        if (auto frame = deinterlacer->receive()) return frame;
        if (is_drained) return nullptr;
      }
      auto frame = decode_stored();
      is_drained = !frame;
      if (frame && is_interlaced(*frame) && !std::exchange(met_interlaced, true)) {
        deinterlacer = make_deinterlacer(*frame, stream->time_base, path.string());
      }
      if (!deinterlacer) return frame;
      deinterlacer->send(frame.get());
    }
  }

  /// The next frame as it is stored.
  ffmpeg::FramePtr decode_stored() {
    auto frame = ffmpeg::make_frame();
    while (true) {
      const int code = avcodec_receive_frame(codec.get(), frame.get());
      if (code == AVERROR_EOF) {
        check_whole();
        return nullptr;
      }
      if (code != AVERROR(EAGAIN)) {
        ffmpeg::check(code, ErrorKind::input, what);
        take_field_order(*stream->codecpar, *frame);
        return frame;
      }
      send_packet(read_packet());
    }
  }

  /// Reads the next packet of the video; false at the end.
  bool read_packet() {
    int code = 0;
    do {
      av_packet_unref(packet.get());
      code = av_read_frame(input.get(), packet.get());
    } while (code >= 0 && packet->stream_index != stream->index);
    if (code == AVERROR_EOF) return false;
    ffmpeg::check(code, ErrorKind::input, what);
    continuous.correct(*packet);
    return true;
  }

  /// Sends what read_packet() read.
  void send_packet(bool any) {
    // Where two transport streams are joined, the last packet of the first one is marked, and whole.
    const bool may_be_joined = (input->iformat->flags & AVFMT_TS_DISCONT) != 0;
    if (any && (packet->flags & AV_PKT_FLAG_CORRUPT) != 0 && !may_be_joined) {
      fail(ErrorKind::input, fmt::format("{}: damaged or cut off after frame {}", what, read_frames));
    }
    if (any && packet->size > 0 && (packet->flags & AV_PKT_FLAG_DISCARD) == 0) {
      ++read_frames;
      sent_times.push_back(packet->pts);
    }
    ffmpeg::check(avcodec_send_packet(codec.get(), any ? packet.get() : nullptr), ErrorKind::input, what);
  }

  void check_whole() const {
    const auto expected = static_cast<int64_t>(list.size());
    if (!list.from_index() || read_frames >= expected) return;
    fail(ErrorKind::input, fmt::format("{}: cut off: expected {} frames, got {}", what, expected, read_frames));
  }

  /// The current frame in sRGB, as it is stored.
  Tensor colours() {
    const auto shown = to_sdr(*current);
    const Tensor stored = to_rgb(*shown);
    return is_hdr(*shown) ? stored : to_srgb(stored, profile_of_primaries(shown->color_primaries), path.string());
  }

  double seconds(const AVFrame& frame) const {
    if (frame.best_effort_timestamp == AV_NOPTS_VALUE) {  // raw streams
      return current ? current_time + 1 / info.fps : 0;
    }
    return static_cast<double>(frame.best_effort_timestamp - origin) * av_q2d(stream->time_base);
  }

  fs::path path;
  std::string what;  // how messages begin
  ffmpeg::InputPtr input;
  AVStream* stream;
  ffmpeg::CodecPtr codec;
  ffmpeg::PacketPtr packet = ffmpeg::make_packet();
  std::unique_ptr<ffmpeg::FilterGraph> deinterlacer;  // from the first interlaced frame on
  bool met_interlaced = false;
  bool is_drained = false;  // the decoder has no more for the deinterlacer
  ToneMap to_sdr;
  ToRgb to_rgb;
  AVRational pixel_shape = {0, 1};
  VideoInfo info;
  FrameList list;
  ContinuousTime continuous;
  int64_t read_frames = 0;
  std::vector<int64_t> sent_times;  // presentation times of the frames sent since begin()
  bool warned = false;
  int64_t origin = 0;      // the stream's time of frame 0
  int64_t never_seen = 0;  // frames of the list before frame 0: they refer to frames that are not in the file

  int64_t index = -1;
  ffmpeg::FramePtr current, following;
  double current_time = 0, following_time = 0;
};

VideoReader::VideoReader(const fs::path& path) : parts_(std::make_unique<Parts>(path)) {}

VideoReader::~VideoReader() = default;

const VideoInfo& VideoReader::info() const { return parts_->info; }
int64_t VideoReader::index() const { return parts_->index; }
double VideoReader::time() const { return parts_->current_time; }

double VideoReader::end_time() const {
  if (parts_->following) return parts_->following_time;
  return std::max(parts_->current_time + 1 / parts_->info.fps, parts_->info.duration);
}

void VideoReader::skip_towards_frame(int64_t index) {
  Parts& parts = *parts_;
  const auto early_enough = [&] { return parts.index < index; };
  if (parts.skip_ahead(static_cast<size_t>(index + 1 + parts.never_seen), early_enough)) return;
  parts_ = std::make_unique<Parts>(fs::path(parts.path));
}

void VideoReader::skip_towards_time(double seconds) {
  Parts& parts = *parts_;
  const auto time = parts.origin + static_cast<int64_t>(seconds / av_q2d(parts.stream->time_base));
  const auto early_enough = [&] { return parts.following_time <= seconds; };
  if (parts.skip_ahead(parts.list.count_until(time), early_enough)) return;
  parts_ = std::make_unique<Parts>(fs::path(parts.path));
}

bool VideoReader::advance() {
  auto& parts = *parts_;
  if (!parts.following) return false;
  parts.current = std::move(parts.following);
  parts.current_time = parts.following_time;
  ++parts.index;
  parts.following = parts.decode();
  if (parts.following) parts.following_time = parts.seconds(*parts.following);
  return true;
}

Tensor VideoReader::pixels() {
  auto& parts = *parts_;
  if (parts.current->decode_error_flags != 0 && !std::exchange(parts.warned, true)) {
    log::warn("{}: frame {} is damaged; used as decoded", parts.path.string(), parts.index);
  }
  const Tensor pixels =
      turn_upright(with_square_pixels(parts.colours(), parts.pixel_shape), ffmpeg::display_matrix(*parts.stream));
  if (pixels.size(0) != parts.info.height || pixels.size(1) != parts.info.width) {
    fail(ErrorKind::input,
         fmt::format("{}: its size changes at frame {}: expected {}x{}, got {}x{}", parts.what, parts.index,
                     parts.info.width, parts.info.height, pixels.size(1), pixels.size(0)));
  }
  return pixels;
}

}  // namespace faststar
