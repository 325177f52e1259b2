#include "core/media/video_reader.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/log.h"
#include "core/media/colour.h"
#include "core/media/ffmpeg.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr double kTimeSlack = 1e-4;  // seconds; containers round times to 1/1000 or finer

ffmpeg::InputPtr open_video(const fs::path& path) {
  auto input = ffmpeg::open_input(path);
  ffmpeg::check(avformat_find_stream_info(input.get(), nullptr), ErrorKind::input,
                fmt::format("{}: cannot read", path.string()));
  return input;
}

AVStream& video_stream(AVFormatContext& input, const fs::path& path) {
  const int index = av_find_best_stream(&input, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  // The cover picture of a music file counts as video for libav.
  if (index < 0 || (input.streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
    fail(ErrorKind::input, fmt::format("{}: holds no video", path.string()));
  }
  return *input.streams[index];
}

bool has_audio(AVFormatContext& input) {
  return av_find_best_stream(&input, AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0) >= 0;
}

double frames_a_second(const AVStream& stream, const fs::path& path) {
  const AVRational rate = stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
  if (rate.num <= 0 || rate.den <= 0) fail(ErrorKind::input, fmt::format("{}: has no frame rate", path.string()));
  return av_q2d(rate);
}

/// When each frame comes, in the stream's unit, in order.
using TimeStamps = std::vector<int64_t>;

// From the index where the container has a full one (mp4), without what its edit list hides.
TimeStamps time_stamps_in_index(AVStream& stream) {
  TimeStamps times;
  if (stream.nb_frames <= 0) return times;
  for (int i = 0; i < avformat_index_get_entries_count(&stream); ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(&stream, i);
    if (entry->size > 0 && (entry->flags & AVINDEX_DISCARD_FRAME) == 0) times.push_back(entry->timestamp);
  }
  return times;
}

// By reading the whole file once, without decoding.
TimeStamps time_stamps_in_file(const fs::path& path) {
  const auto input = open_video(path);
  const int stream = video_stream(*input, path).index;
  const auto packet = ffmpeg::make_packet();
  TimeStamps times;
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    if (packet->stream_index == stream && (packet->flags & AV_PKT_FLAG_DISCARD) == 0) {
      times.push_back(packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts);
    }
    av_packet_unref(packet.get());
  }
  return times;
}

// Rounding moves a frame by little; a frame that was dropped, or a phone that saves light, by half a frame and more.
bool are_uneven(TimeStamps times) {
  if (times.size() < 3) return false;
  std::sort(times.begin(), times.end());
  const auto intervals = static_cast<double>(times.size() - 1);
  const double average = static_cast<double>(times.back() - times.front()) / intervals;
  return std::adjacent_find(times.begin(), times.end(), [&](int64_t a, int64_t b) {
           return static_cast<double>(b - a) > 1.5 * average;
         }) != times.end();
}

/// From the first frame's appearance until the last one has been shown for an average interval.
double seconds_shown(const TimeStamps& times, const AVStream& stream) {
  const auto [first, last] = std::minmax_element(times.begin(), times.end());
  const auto frames = static_cast<double>(times.size());
  return static_cast<double>(*last - *first) * av_q2d(stream.time_base) * frames / (frames - 1);
}

}  // namespace

struct VideoReader::Parts {
  explicit Parts(const fs::path& path);
  void read_info();
  /// The next frame in order of presentation; null at the end.
  ffmpeg::FramePtr decode();
  void send_next_packet();
  void check_whole() const;
  double seconds(const AVFrame& frame);

  fs::path path;
  std::string what;  // how messages begin
  ffmpeg::InputPtr input;
  AVStream* stream;
  ffmpeg::CodecPtr codec;
  ffmpeg::PacketPtr packet = ffmpeg::make_packet();
  ToRgb to_rgb;
  VideoInfo info;
  TimeStamps times_in_index;  // what the container promises; empty when it has no index
  int64_t read_frames = 0;
  bool warned = false;
  double origin = NAN;  // the stream's time of frame 0

  int64_t index = -1;
  ffmpeg::FramePtr current, following;
  double current_time = 0, following_time = 0;
};

VideoReader::Parts::Parts(const fs::path& file)
    : path(file),
      what(fmt::format("{}: cannot read the video", path.string())),
      input(open_video(path)),
      stream(&video_stream(*input, path)),
      codec(ffmpeg::open_decoder(*stream, path)),
      times_in_index(time_stamps_in_index(*stream)) {
  following = decode();
  if (!following) fail(ErrorKind::input, fmt::format("{}: the video has no frames", path.string()));
  following_time = seconds(*following);
  read_info();
}

void VideoReader::Parts::read_info() {
  info.width = following->width;
  info.height = following->height;
  if (swaps_sides(ffmpeg::display_matrix(*stream))) std::swap(info.width, info.height);
  info.fps = frames_a_second(*stream, path);
  const TimeStamps times = times_in_index.empty() ? time_stamps_in_file(path) : times_in_index;
  info.frames = static_cast<int64_t>(times.size());
  info.variable_rate = are_uneven(times);
  info.duration = info.variable_rate ? seconds_shown(times, *stream) : static_cast<double>(info.frames) / info.fps;
  info.has_audio = has_audio(*input);
}

ffmpeg::FramePtr VideoReader::Parts::decode() {
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
    send_next_packet();
  }
}

void VideoReader::Parts::send_next_packet() {
  int code = 0;
  do {
    av_packet_unref(packet.get());
    code = av_read_frame(input.get(), packet.get());
  } while (code >= 0 && packet->stream_index != stream->index);
  if (code != AVERROR_EOF) ffmpeg::check(code, ErrorKind::input, what);
  if (code >= 0 && (packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
    fail(ErrorKind::input, fmt::format("{}: damaged or cut off after frame {}", what, read_frames));
  }
  if (code >= 0 && packet->size > 0 && (packet->flags & AV_PKT_FLAG_DISCARD) == 0) ++read_frames;
  ffmpeg::check(avcodec_send_packet(codec.get(), code < 0 ? nullptr : packet.get()), ErrorKind::input, what);
}

void VideoReader::Parts::check_whole() const {
  const auto promised = static_cast<int64_t>(times_in_index.size());
  if (read_frames >= promised) return;
  fail(ErrorKind::input, fmt::format("{}: cut off: {} frames expected, {} found", what, promised, read_frames));
}

double VideoReader::Parts::seconds(const AVFrame& frame) {
  if (frame.best_effort_timestamp == AV_NOPTS_VALUE) {  // raw streams
    return current ? current_time + 1 / info.fps : 0;
  }
  const double time = static_cast<double>(frame.best_effort_timestamp) * av_q2d(stream->time_base);
  if (std::isnan(origin)) origin = time;
  return time - origin;
}

VideoReader::VideoReader(const fs::path& path) : parts_(std::make_unique<Parts>(path)) {}

VideoReader::~VideoReader() = default;

const VideoInfo& VideoReader::info() const { return parts_->info; }
int64_t VideoReader::index() const { return parts_->index; }
double VideoReader::time() const { return parts_->current_time; }

double VideoReader::end_time() const {
  return parts_->following ? parts_->following_time : parts_->current_time + 1 / parts_->info.fps;
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
    log::warn("{}: frame {} is damaged; it is used as it came out", parts.path.string(), parts.index);
  }
  const Tensor pixels = turn_upright(parts.to_rgb(*parts.current), ffmpeg::display_matrix(*parts.stream));
  if (pixels.size(0) != parts.info.height || pixels.size(1) != parts.info.width) {
    fail(ErrorKind::input,
         fmt::format("{}: its size changes at frame {}: expected {}x{}, got {}x{}", parts.what, parts.index,
                     parts.info.width, parts.info.height, pixels.size(1), pixels.size(0)));
  }
  return pixels;
}

namespace {

/// Takes the current frame for every `wanted` that lies before end_of_frame().
template <typename T, typename EndOfFrame>
Tensor take_frames(VideoReader& video, const std::vector<T>& wanted, const FrameTransform& transform,
                   EndOfFrame end_of_frame) {
  std::vector<Tensor> frames;
  while (frames.size() < wanted.size() && video.advance()) {
    if (wanted[frames.size()] >= end_of_frame()) continue;
    const Tensor frame = transform(video.pixels());
    while (frames.size() < wanted.size() && wanted[frames.size()] < end_of_frame()) frames.push_back(frame);
  }
  if (frames.size() < wanted.size()) {
    fail(ErrorKind::input, fmt::format("the video ends after {} frames ({:.2f} s), before the part that is needed",
                                       video.index() + 1, video.end_time()));
  }
  return at::stack(frames);
}

}  // namespace

Tensor frames_at(VideoReader& video, const std::vector<int64_t>& indices, const FrameTransform& transform) {
  return take_frames(video, indices, transform, [&] { return video.index() + 1; });
}

Tensor frames_shown_at(VideoReader& video, const std::vector<double>& times, const FrameTransform& transform) {
  return take_frames(video, times, transform, [&] { return video.end_time() - kTimeSlack; });
}

}  // namespace faststar
