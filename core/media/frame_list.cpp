#include "core/media/frame_list.h"

#include <algorithm>

namespace faststar {
namespace {

// Without what its edit list hides.
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

std::vector<ListedFrame> frames_in_file(const std::filesystem::path& path, int stream) {
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

FrameList::FrameList(AVStream& stream, const std::filesystem::path& path) : frames_(frames_in_index(stream)) {
  from_index_ = !frames_.empty();
  if (!from_index_) frames_ = frames_in_file(path, stream.index);
}

std::vector<int64_t> FrameList::sorted_times() const {
  std::vector<int64_t> times;
  for (const ListedFrame& frame : frames_) times.push_back(frame.time);
  std::sort(times.begin(), times.end());
  return times;
}

bool FrameList::is_uneven() const {
  if (size() < 3) return false;
  const std::vector<int64_t> times = sorted_times();
  const double average = static_cast<double>(times.back() - times.front()) / static_cast<double>(size() - 1);
  return std::adjacent_find(times.begin(), times.end(), [&](int64_t a, int64_t b) {
           return static_cast<double>(b - a) > 1.5 * average;
         }) != times.end();
}

double FrameList::time_shown() const {
  const std::vector<int64_t> times = sorted_times();
  const auto frames = static_cast<double>(times.size());
  return static_cast<double>(times.back() - times.front()) * frames / (frames - 1);
}

size_t FrameList::last_key_before(size_t position) const {
  position = std::min(position, size());
  while (position > 0 && !frames_[--position].is_key) continue;
  return position;
}

int64_t FrameList::seek_time(size_t position) const {
  const auto is_key = [](const ListedFrame& frame) { return frame.is_key; };
  const auto next = std::find_if(frames_.begin() + static_cast<int64_t>(position) + 1, frames_.end(), is_key);
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
