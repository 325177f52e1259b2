#pragma once
#include <memory>
#include <vector>

#include "core/media/frame_sinks.h"
#include "core/media/video_writer.h"
#include "core/pipeline/request.h"

namespace faststar {

/// The files of a run, one RequestedOutput a seed, each checked to be creatable. With -o and several seeds each file
/// name gets its seed; without -o it is ./<slug>-<seed>.mp4 (or .mkv, .png), then -2, -3, ... behind a taken name.
/// `request` has task, prompt, size and encoding; `inputs` are the files that the run reads. Throws Error(output) for a
/// name that cannot be written, Error(usage) for one of `inputs` or of another format.
std::vector<RequestedOutput> choose_outputs(const Request& request, const OutputConfig& config,
                                            const std::vector<int64_t>& seeds,
                                            const std::vector<std::optional<std::string>>& inputs);

/// Throws Error(usage) when an output is a file that the run reads: --overwrite would replace it.
void spare_inputs(const std::filesystem::path& output, const std::vector<std::optional<std::string>>& inputs);

/// Throws Error(output) when a disk has less space than the files of `request` take there at the very least, however
/// well they compress. No promise that they fit.
void check_disk_space(const Request& request);

/// Size and rate of a video.
VideoFormat format_of(const VideoSize& size);

/// Which of the decoded frames become the video.
struct ShownFrames {
  FirstFrame first_frame = FirstFrame::copy;
  int64_t begin = 0;  ///< frames before it are left out
};

/// Where one video or picture goes, and how.
struct OutputFiles {
  std::filesystem::path file;
  std::optional<std::filesystem::path> frames_dir;
  VideoFormat format;
  VideoEncoding encoding;
  VideoExtras extras;
  Existing existing = Existing::refuse;
};

/// Everything that one video goes to: the file and, when asked for, a folder of frames. Frames leave on a
/// thread of their own, so that encoding overlaps decoding.
class VideoOutput {
 public:
  explicit VideoOutput(const OutputFiles& files);
  /// The format that costs least for frames decoded on `device`: planes when H.264 is all there is and a GPU makes them
  /// (on a CPU, swscale makes them faster, on the encoder's thread). RGB is taken always.
  FrameFormat frame_format(at::Device device) const;
  /// frames: uint8 [F, H, W, 3] RGB or, with that format, [F, 3 H / 2, W] planes; on the CPU, contiguous.
  void write(const Tensor& frames);
  /// The files get their final names, once all of them are complete.
  void finish();

 private:
  bool h264_alone_;
  std::vector<std::unique_ptr<FrameSink>> sinks_;
};

}  // namespace faststar
