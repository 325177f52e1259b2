#pragma once
// Included by sources of core/media only.
#include <filesystem>
#include <optional>
#include <vector>

#include "core/media/ffmpeg.h"

namespace faststar {

/// Makes the time stamps of a stream run on. In recordings of broadcasts and joined transport streams they start again
/// or jump, and FLV wraps those before 0; what follows is then shown one frame later.
class ContinuousTime {
 public:
  ContinuousTime(const AVFormatContext& input, const AVStream& stream);
  /// Corrects the times of the stream's next packet.
  void correct(AVPacket& packet);

 private:
  bool is_broken_;  // a transport stream: times may start again at any frame
  bool may_jump_;
  int64_t longest_gap_;  // all in the stream's unit
  int64_t step_;
  int64_t shift_ = 0;
  int64_t last_ = AV_NOPTS_VALUE;
};

/// A frame that a container holds, known without decoding it.
struct ListedFrame {
  int64_t time = 0;  ///< in the stream's unit
  bool is_key = false;
};

/// The frames of a video that are shown, in decoding order.
class FrameList {
 public:
  /// From the container's index where it has a full one (mp4), else by reading the whole file once.
  FrameList(AVStream& stream, const std::filesystem::path& path);

  size_t size() const { return frames_.size(); }
  bool from_index() const { return from_index_; }
  /// The time of the first frame that is shown.
  int64_t first_time() const { return sorted_times_.empty() ? 0 : sorted_times_.front(); }

  /// True when a time is further from the even grid between the first and the last one than rounding puts it.
  bool is_uneven() const;
  /// From one frame to the next on average; 0 when there are fewer than two.
  double interval() const;
  /// From the first frame's appearance until the last one goes.
  double time_shown() const;

  /// The last keyframe before `position`; 0 when there is none.
  size_t last_key_before(size_t position) const;
  /// A time from which seeking backwards leads to the keyframe at `position`, whether the container seeks by decoding
  /// or by presentation times.
  int64_t seek_time(size_t position) const;
  /// How many frames come before the first one from which on all times are later than `time`.
  size_t count_until(int64_t time) const;
  /// The position of the keyframe in `packet`; nothing when the list has no such keyframe.
  std::optional<size_t> position_of_key(const AVPacket& packet) const;

 private:
  void read_index(AVStream& stream);
  std::vector<ListedFrame> read_file(const std::filesystem::path& path, int stream);
  void sort_times(const std::vector<ListedFrame>& frames);

  std::vector<ListedFrame> frames_;
  bool from_index_ = false;  // an index has decoding times, packets also presentation times
  std::vector<int64_t> sorted_times_;
  int64_t time_shown_ = 0;  // 0: not known
};

}  // namespace faststar
