#include "core/media/video_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/media/colour.h"
#include "core/media/ffmpeg.h"

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

}  // namespace

/// A frame that a container holds, known without decoding it.
struct ListedFrame {
  int64_t time = 0;  ///< in the stream's unit
  bool is_key = false;
};

namespace {

/// The frames in the container's index, without those that its edit list hides.
std::vector<ListedFrame> frames_in_index(AVStream& stream) {
  std::vector<ListedFrame> frames;
  if (stream.nb_frames <= 0) return frames;
  for (int i = 0; i < avformat_index_get_entries_count(&stream); ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(&stream, i);
    if (entry->size <= 0 || (entry->flags & AVINDEX_DISCARD_FRAME) != 0) continue;
    frames.push_back({entry->timestamp, (entry->flags & AVINDEX_KEYFRAME) != 0});
  }
  return frames;
}

std::vector<ListedFrame> frames_in_file(const fs::path& path, int stream) {
  const auto input = ffmpeg::open_streams(path);
  const auto packet = ffmpeg::make_packet();
  std::vector<ListedFrame> frames;
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    if (packet->stream_index == stream && (packet->flags & AV_PKT_FLAG_DISCARD) == 0) {
      frames.push_back({ffmpeg::time_of(*packet), (packet->flags & AV_PKT_FLAG_KEY) != 0});
    }
    av_packet_unref(packet.get());
  }
  return frames;
}

}  // namespace

/// The frames of a video that are shown, in decoding order.
class FrameList {
 public:
  /// From the container's index where it has a full one (mp4), else by reading the whole file once.
  FrameList(AVStream& stream, const fs::path& path) : frames_(frames_in_index(stream)), from_index_(!frames_.empty()) {
    if (!from_index_) frames_ = frames_in_file(path, stream.index);
    for (const ListedFrame& frame : frames_) sorted_times_.push_back(frame.time);
    std::ranges::sort(sorted_times_);
  }

  size_t size() const { return frames_.size(); }
  bool from_index() const { return from_index_; }

  /// True when the times are far from even. Rounding moves a frame by little; a dropped frame, or a phone that saves
  /// light, by half a frame and more.
  bool is_uneven() const {
    if (size() < 3) return false;
    const double average =
        static_cast<double>(sorted_times_.back() - sorted_times_.front()) / static_cast<double>(size() - 1);
    const auto is_gap = [&](int64_t a, int64_t b) { return static_cast<double>(b - a) > 1.5 * average; };
    return std::ranges::adjacent_find(sorted_times_, is_gap) != sorted_times_.end();
  }

  /// From the first frame's appearance until the last one has been shown for an average interval; in the stream's unit.
  double time_shown() const {
    const auto frames = static_cast<double>(size());
    return static_cast<double>(sorted_times_.back() - sorted_times_.front()) * frames / (frames - 1);
  }

  /// The last keyframe before `position`; 0 when there is none.
  size_t last_key_before(size_t position) const {
    position = std::min(position, size());
    while (position > 0 && !frames_[--position].is_key) continue;
    return position;
  }

  /// A time from which seeking backwards leads to the keyframe at `position`, whether the container seeks by decoding
  /// or by presentation times.
  int64_t seek_time(size_t position) const {
    const auto next = std::find_if(frames_.begin() + static_cast<int64_t>(position) + 1, frames_.end(),
                                   std::mem_fn(&ListedFrame::is_key));
    if (next != frames_.end()) return next->time - 1;
    return frames_.back().time + (frames_.back().time - frames_.front().time);  // after all of them
  }

  /// How many frames come before the first one from which on all times are later than `time`.
  size_t count_until(int64_t time) const {
    const auto later = [time](const ListedFrame& frame) { return frame.time > time; };
    return static_cast<size_t>(std::find_if_not(frames_.rbegin(), frames_.rend(), later).base() - frames_.begin());
  }

  /// The position of the keyframe in `packet`; nothing when the list has no such keyframe.
  std::optional<size_t> position_of_key(const AVPacket& packet) const {
    const int64_t time = from_index_ ? packet.dts : ffmpeg::time_of(packet);
    const auto found =
        std::ranges::find_if(frames_, [time](const ListedFrame& frame) { return frame.is_key && frame.time == time; });
    if (found == frames_.end()) return std::nullopt;
    return static_cast<size_t>(found - frames_.begin());
  }

 private:
  std::vector<ListedFrame> frames_;
  bool from_index_;  // an index has decoding times, packets also presentation times
  std::vector<int64_t> sorted_times_;
};

struct VideoReader::Parts {
  explicit Parts(const fs::path& file)
      : path(file),
        what(fmt::format("{}: cannot read the video", path.string())),
        input(ffmpeg::open_streams(path)),
        stream(&video_stream(*input, path)),
        codec(ffmpeg::open_decoder(*stream, path)),
        list(*stream, path) {
    const auto earlier = begin(std::numeric_limits<int64_t>::min());
    if (!earlier) fail(ErrorKind::input, fmt::format("{}: the video has no frames", path.string()));
    never_seen = *earlier;
    if (following->best_effort_timestamp != AV_NOPTS_VALUE) origin = following->best_effort_timestamp;
    read_info();
  }

  void read_info() {
    info.width = following->width;
    info.height = following->height;
    if (swaps_sides(ffmpeg::display_matrix(*stream))) std::swap(info.width, info.height);
    info.fps = frames_a_second(*stream, path);
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
    if (key == 0) return true;  // it is there already
    constexpr int kTries = 3;   // some containers lead to the keyframe after the one asked for
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

  /// The next frame in order of presentation; null at the end.
  ffmpeg::FramePtr decode() {
    auto frame = ffmpeg::make_frame();
    while (true) {
      const int code = avcodec_receive_frame(codec.get(), frame.get());
      if (code == AVERROR_EOF) {
        check_whole();
        return nullptr;
      }
      if (code != AVERROR(EAGAIN)) {
        ffmpeg::check(code, ErrorKind::input, what);
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
    return true;
  }

  /// Sends what read_packet() read.
  void send_packet(bool any) {
    if (any && (packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
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
  ToRgb to_rgb;
  VideoInfo info;
  FrameList list;
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
  return parts_->following ? parts_->following_time : parts_->current_time + 1 / parts_->info.fps;
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
  const Tensor pixels = turn_upright(parts.to_rgb(*parts.current), ffmpeg::display_matrix(*parts.stream));
  if (pixels.size(0) != parts.info.height || pixels.size(1) != parts.info.width) {
    fail(ErrorKind::input,
         fmt::format("{}: its size changes at frame {}: expected {}x{}, got {}x{}", parts.what, parts.index,
                     parts.info.width, parts.info.height, pixels.size(1), pixels.size(0)));
  }
  return pixels;
}

}  // namespace faststar
