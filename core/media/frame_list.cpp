#include "core/media/frame_list.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string_view>

namespace faststar {
namespace {

constexpr double kLongestGap = 2;  // seconds; a longer one between two frames of a transport stream is a jump
constexpr double kDay = 86400;     // seconds; FLV counts in 31 bits of milliseconds, and wraps at 0

int64_t in_unit(double seconds, const AVStream& stream) {
  return static_cast<int64_t>(seconds / av_q2d(stream.time_base));
}

/// Matroska gives no time to frames before 0, raw streams give none at all. Returns how much earlier the first one is.
int64_t fill_in_times(std::vector<ListedFrame>& frames) {
  const auto is_known = [](const ListedFrame& frame) { return frame.time != AV_NOPTS_VALUE; };
  const auto known = std::ranges::find_if(frames, is_known);
  if (known == frames.end()) {
    for (ListedFrame& frame : frames) frame.time = 0;
    return 0;
  }
  const auto last = std::ranges::max_element(known, frames.end(), {}, &ListedFrame::time);
  const auto others = static_cast<int64_t>(std::ranges::count_if(frames, is_known)) - 1;
  const int64_t step = others > 0 ? (last->time - known->time) / others : 0;
  for (auto frame = known; frame != frames.begin(); --frame) std::prev(frame)->time = frame->time - step;
  for (auto frame = known; frame != frames.end(); ++frame) {
    if (!is_known(*frame)) frame->time = std::prev(frame)->time + step;
  }
  return step * (known - frames.begin());
}

/// The times of packets that do not say them are FFmpeg's guesses, a frame off here and there: puts even ones in their
/// place where none is further off.
void even_out(std::vector<int64_t>& times) {
  if (times.size() < 2) return;
  const double first = static_cast<double>(times.front());
  const double step = (static_cast<double>(times.back()) - first) / static_cast<double>(times.size() - 1);
  std::vector<int64_t> even;
  for (size_t i = 0; i < times.size(); ++i) {
    even.push_back(std::llround(first + static_cast<double>(i) * step));
    if (std::abs(static_cast<double>(times[i] - even[i])) > 1.5 * step) return;
  }
  times = std::move(even);
}

}  // namespace

ContinuousTime::ContinuousTime(const AVFormatContext& input, const AVStream& stream)
    : is_broken_((input.iformat->flags & AVFMT_TS_DISCONT) != 0),
      may_jump_(is_broken_ || std::string_view(input.iformat->name) == "flv"),
      longest_gap_(in_unit(is_broken_ ? kLongestGap : kDay, stream)),
      step_(in_unit(stream.r_frame_rate.num > 0 ? 1 / av_q2d(stream.r_frame_rate) : 0.04, stream)) {}

void ContinuousTime::correct(AVPacket& packet) {
  const int64_t time = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
  if (!may_jump_ || time == AV_NOPTS_VALUE) return;
  const int64_t since_last = last_ == AV_NOPTS_VALUE ? step_ : time + shift_ - last_;
  if ((is_broken_ && since_last < 0) || std::abs(since_last) > longest_gap_) {
    shift_ += step_ - since_last;
  } else if (since_last > 0) {
    step_ = since_last;
  }
  last_ = time + shift_;
  if (packet.dts != AV_NOPTS_VALUE) packet.dts += shift_;
  if (packet.pts != AV_NOPTS_VALUE) packet.pts += shift_;
}

FrameList::FrameList(AVStream& stream, const std::filesystem::path& path) {
  read_index(stream);
  from_index_ = !frames_.empty();
  if (!from_index_) frames_ = read_file(path, stream.index);
  sort_times(frames_);
  // Where frames are not shown in the order of decoding, an index has other times than those at which they are shown.
  if (from_index_ && stream.codecpar->video_delay > 0 && is_uneven()) sort_times(read_file(path, stream.index));
}

// Without the frames that the container's edit list hides.
void FrameList::read_index(AVStream& stream) {
  if (stream.nb_frames <= 0) return;
  const int entries = avformat_index_get_entries_count(&stream);
  for (int i = 0; i < entries; ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(&stream, i);
    if (entry->size <= 0 || (entry->flags & AVINDEX_DISCARD_FRAME) != 0) continue;
    frames_.push_back({entry->timestamp, (entry->flags & AVINDEX_KEYFRAME) != 0});
  }
  const bool all_shown = frames_.size() == static_cast<size_t>(entries);
  if (all_shown && stream.duration != AV_NOPTS_VALUE) time_shown_ = stream.duration;
}

std::vector<ListedFrame> FrameList::read_file(const std::filesystem::path& path, int stream) {
  std::vector<ListedFrame> frames;
  std::vector<int64_t> decoding_times;
  bool all_shown = true;
  const auto input = ffmpeg::open_streams(path);
  const auto packet = ffmpeg::make_packet();
  ContinuousTime continuous(*input, *input->streams[stream]);
  int64_t first = AV_NOPTS_VALUE, end = AV_NOPTS_VALUE;
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    if (packet->stream_index == stream && (packet->flags & AV_PKT_FLAG_DISCARD) == 0) {
      continuous.correct(*packet);
      const int64_t time = ffmpeg::time_of(*packet);
      frames.push_back({time, (packet->flags & AV_PKT_FLAG_KEY) != 0});
      decoding_times.push_back(packet->dts);
      all_shown = all_shown && packet->pts != AV_NOPTS_VALUE;
      if (time != AV_NOPTS_VALUE) {
        first = first == AV_NOPTS_VALUE ? time : std::min(first, time);
        end = std::max(end, time + packet->duration);
      }
    }
    av_packet_unref(packet.get());
  }
  if (first != AV_NOPTS_VALUE) time_shown_ = end - first;
  // Where only some packets say when they are shown (MPEG program streams), both kinds of time mixed would be uneven.
  if (!all_shown && std::ranges::find(decoding_times, AV_NOPTS_VALUE) == decoding_times.end()) {
    even_out(decoding_times);
    for (size_t i = 0; i < frames.size(); ++i) frames[i].time = decoding_times[i];
  }
  time_shown_ += fill_in_times(frames);
  return frames;
}

void FrameList::sort_times(const std::vector<ListedFrame>& frames) {
  sorted_times_.clear();
  for (const ListedFrame& frame : frames) sorted_times_.push_back(frame.time);
  std::ranges::sort(sorted_times_);
}

double FrameList::interval() const {
  const size_t count = sorted_times_.size();
  if (count < 2) return 0;
  return static_cast<double>(sorted_times_.back() - sorted_times_.front()) / static_cast<double>(count - 1);
}

bool FrameList::is_uneven() const {
  if (sorted_times_.size() < 3) return false;
  const double tolerance = std::max(interval() / 4, 1.5);  // containers round times to their unit
  for (size_t i = 0; i < sorted_times_.size(); ++i) {
    const double even = static_cast<double>(sorted_times_.front()) + static_cast<double>(i) * interval();
    if (std::abs(static_cast<double>(sorted_times_[i]) - even) > tolerance) return true;
  }
  return false;
}

double FrameList::time_shown() const {
  const double until_last = interval() * static_cast<double>(sorted_times_.size() - 1);
  return static_cast<double>(time_shown_) > until_last ? static_cast<double>(time_shown_) : until_last + interval();
}

size_t FrameList::last_key_before(size_t position) const {
  position = std::min(position, size());
  while (position > 0 && !frames_[--position].is_key) continue;
  return position;
}

int64_t FrameList::seek_time(size_t position) const {
  const auto next = std::find_if(frames_.begin() + static_cast<int64_t>(position) + 1, frames_.end(),
                                 std::mem_fn(&ListedFrame::is_key));
  if (next != frames_.end()) return next->time - 1;
  return frames_.back().time + (frames_.back().time - frames_.front().time);  // after all of them
}

size_t FrameList::count_until(int64_t time) const {
  const auto later = [time](const ListedFrame& frame) { return frame.time > time; };
  return static_cast<size_t>(std::find_if_not(frames_.rbegin(), frames_.rend(), later).base() - frames_.begin());
}

std::optional<size_t> FrameList::position_of_key(const AVPacket& packet) const {
  const int64_t time = from_index_ ? packet.dts : ffmpeg::time_of(packet);
  const auto found =
      std::ranges::find_if(frames_, [time](const ListedFrame& frame) { return frame.is_key && frame.time == time; });
  if (found == frames_.end()) return std::nullopt;
  return static_cast<size_t>(found - frames_.begin());
}

}  // namespace faststar
