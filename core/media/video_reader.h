#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/base/tensor.h"

namespace faststar {

/// The properties of a video file.
struct VideoInfo {
  int64_t width = 0;           ///< pixels, after turning upright
  int64_t height = 0;          ///< pixels, after turning upright
  double fps = 0;              ///< average frames a second
  int64_t frames = 0;          ///< frames that are shown
  double duration = 0;         ///< seconds
  bool variable_rate = false;  ///< frame times are uneven: choose frames by time, not by number
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
  /// Skips to the last keyframe up to frame `index`, or up to the frame shown at `seconds`: the next advance() goes
  /// there. All frames, numbers and times are the same as when reading from the start; where seeking to the keyframes
  /// of a container is not reliable, nothing is skipped. The reader must be new.
  void skip_towards_frame(int64_t index);
  void skip_towards_time(double seconds);
  /// Goes to the next frame (at first to frame 0); false after the last one. Throws Error(input) when the data is
  /// damaged or ends before the last frame of the file's index.
  bool advance();
  /// The number of the current frame, from 0.
  int64_t index() const;
  /// When the frame appears and when the next one replaces it, in seconds; frame 0 appears at 0.
  double time() const;
  double end_time() const;
  /// The current frame as uint8 [H, W, 3] RGB, upright. Converted on each call, so that skipped frames cost less.
  Tensor pixels();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace faststar
