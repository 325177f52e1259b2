#pragma once
#include <memory>
#include <vector>

#include "core/media/frame_sink.h"
#include "core/media/video_writer.h"
#include "core/pipeline.h"
#include "core/pyramid/schedule.h"

namespace faststar {

/// The encoder's part of the output settings.
VideoEncoding encoding_of(const OutputConfig& output);

/// Everything that one video goes to: the file and, when asked for, a folder of frames. Frames leave on a
/// thread of their own, so that encoding overlaps decoding.
class VideoOutput {
 public:
  VideoOutput(const GenerateJob& job, const JobOutput& output);
  /// frames: uint8 [F, H, W, 3] RGB on any device.
  void write(const Tensor& frames);
  /// The files get their final names.
  void finish();

 private:
  std::vector<std::unique_ptr<FrameSink>> sinks_;
};

/// Writes the picture of a text-to-image run. frame: uint8 [1, H, W, 3] RGB on any device.
void write_picture(const GenerateJob& job, const JobOutput& output, const Tensor& frame);

/// Writes `summed_codes` [1, 64, T, H, W] clip by clip as `clip.N.summed_codes`, settings in the metadata.
void write_codes(const GenerateJob& job, const JobOutput& output, const Schedule& schedule, const Tensor& summed_codes);

}  // namespace faststar
