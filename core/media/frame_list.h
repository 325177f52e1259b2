#pragma once
#include <filesystem>
#include <optional>
#include <vector>

#include "core/media/ffmpeg.h"

namespace faststar {

/// A frame that a container holds, known without decoding it.
struct ListedFrame {
  int64_t time = 0;  ///< in the stream's unit
  bool is_key = false;
};

/// The frames of a video that will be shown, in the order in which they are decoded. Included by sources of core/media
/// only.
class FrameList {
 public:
  /// From the container's index where it has a full one (mp4), else by reading the whole file once.
  FrameList(AVStream& stream, const std::filesystem::path& path);

  size_t size() const { return frames_.size(); }
  /// True when the container itself promises these frames.
  bool promised() const { return from_index_; }
  /// True when their times are far from even. Rounding moves a frame by little; a frame that was dropped, or a phone
  /// that saves light, by half a frame and more.
  bool is_uneven() const;
  /// From the first frame's appearance until the last one has been shown for an average interval; in the stream's unit.
  double time_shown() const;

  /// The last keyframe before `position`; 0 when there is none.
  size_t last_key_before(size_t position) const;
  /// A time to seek back from that leads to the keyframe at `position`, whether the container seeks by the times of
  /// decoding or by those of presentation.
  int64_t seek_time(size_t position) const;
  /// How many come before the first one from which on all have later times than `time`.
  size_t count_until(int64_t time) const;
  /// Where the keyframe stands that `packet` holds; nothing when it holds none of the list.
  std::optional<size_t> position_of_key(const AVPacket& packet) const;

 private:
  std::vector<int64_t> sorted_times() const;

  std::vector<ListedFrame> frames_;
  bool from_index_ = false;  // an index has times of decoding, packets also those of presentation
};

}  // namespace faststar
