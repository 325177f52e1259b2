#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

/// What a video file says about itself.
struct VideoInfo {
  int64_t width = 0;           ///< pixels, after turning upright
  int64_t height = 0;          ///< pixels, after turning upright
  double fps = 0;              ///< average frames a second
  int64_t frames = 0;          ///< frames that will be shown
  double duration = 0;         ///< seconds
  bool variable_rate = false;  ///< frames come at uneven times: choose by time, not by number
  bool has_audio = false;
};

/// Reads a video's frames in order of presentation.
///   VideoReader video(path);
///   while (video.advance()) use(video.pixels());
class VideoReader {
 public:
  /// Throws Error(input) when the file is missing, damaged, or holds no video or no frame.
  explicit VideoReader(const std::filesystem::path& path);
  ~VideoReader();
  VideoReader(const VideoReader&) = delete;
  VideoReader& operator=(const VideoReader&) = delete;

  const VideoInfo& info() const;
  /// Leaves out what lies before the last keyframe up to frame `index`, or up to the frame shown at `seconds`: the
  /// next advance() goes there. All frames, numbers and times stay those of reading from the start; where a container
  /// does not lead to its keyframes for certain, nothing is left out. The reader must be new.
  void skip_towards_frame(int64_t index);
  void skip_towards_time(double seconds);
  /// Goes to the next frame (at first to frame 0); false after the last. Throws Error(input) when the data is
  /// damaged or ends before the frames the file promised.
  bool advance();
  /// The frame it is at, from 0.
  int64_t index() const;
  /// When the frame appears and when the next one replaces it, in seconds; frame 0 appears at 0.
  double time() const;
  double end_time() const;
  /// The frame as uint8 [H, W, 3] RGB, upright. Converted on each call: frames that nobody asks for cost less.
  Tensor pixels();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Applied to each frame that is taken, before it is kept (resizing keeps memory small).
using FrameTransform = std::function<Tensor(const Tensor&)>;

/// The frames with these numbers, ascending, repeats allowed, stacked: [indices, ...]. The reader must be new.
/// Throws Error(input) when the video ends before the last one.
Tensor frames_at(VideoReader& video, const std::vector<int64_t>& indices, const FrameTransform& transform);

/// The frames shown at these times (seconds, ascending), stacked: [times, ...]; so `j / 16.0` resamples uneven
/// frames to 16 a second. The reader must be new. Throws Error(input) when the video ends before the last one.
Tensor frames_shown_at(VideoReader& video, const std::vector<double>& times, const FrameTransform& transform);

}  // namespace faststar
