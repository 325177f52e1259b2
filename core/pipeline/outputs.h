#pragma once
#include <memory>
#include <vector>

#include "core/config/output.h"
#include "core/media/frame_sink.h"
#include "core/media/video_writer.h"
#include "core/pipeline/job.h"

namespace faststar {

/// The encoder's part of the output settings.
VideoEncoding encoding_of(const OutputConfig& output);

/// Where one video or picture goes, and how.
struct OutputFiles {
  std::filesystem::path file;
  std::optional<std::filesystem::path> frames_dir;
  int64_t width = 0;   ///< pixels
  int64_t height = 0;  ///< pixels
  VideoEncoding encoding;
  std::string comment;  ///< for the container; empty: none
  std::shared_ptr<const SoundTrack> sound;
  Existing existing = Existing::refuse;
};

/// Size and rate of the video.
VideoFormat format_of(const OutputFiles& files);

/// Everything that one video goes to: the file and, when asked for, a folder of frames. Frames leave on a
/// thread of their own, so that encoding overlaps decoding.
class VideoOutput {
 public:
  explicit VideoOutput(const OutputFiles& files);
  /// frames: uint8 [F, H, W, 3] RGB on any device.
  void write(const Tensor& frames);
  /// The files get their final names, once all of them are complete.
  void finish();

 private:
  std::vector<std::unique_ptr<FrameSink>> sinks_;
};

/// Writes a picture. frame: uint8 [1, H, W, 3] RGB on any device.
void write_picture(const OutputFiles& files, const Tensor& frame);

}  // namespace faststar
