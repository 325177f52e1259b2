#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/device.h"
#include "core/media/frame_sinks.h"
#include "core/media/video_writer.h"
#include "core/model/vae/video_vae.h"

namespace faststar {

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
  /// The format that costs least for frames decoded on `device`: planes when a video that takes them is all there is
  /// and a GPU makes them (on a CPU, swscale makes them faster, on the encoder's thread). RGB is taken always.
  FrameFormat frame_format(at::Device device) const;
  /// frames: uint8 [F, H, W, 3] RGB or, with that format, [F, 3 H / 2, W] planes; on the CPU, contiguous.
  void write(const Tensor& frames);
  /// The files get their final names, once all of them are complete.
  void finish();

 private:
  bool takes_planes_;
  std::vector<std::unique_ptr<FrameSink>> sinks_;
};

/// The frames of one decode on their way into files, one slice behind the decoder: the GPU decodes a slice while the
/// one before it is copied to the host, and threads of their own encode those before that. Nothing is left behind when
/// it is destroyed unfinished.
class FrameFiles {
 public:
  /// What is decoded.
  struct Source {
    int64_t latents;    ///< one makes a picture
    at::Device device;  ///< that decodes
    bool keep;          ///< finish() returns the frames
  };
  /// `on_done` is called with the number of decoded frames of each slice whose frames have left the GPU.
  FrameFiles(const OutputFiles& files, const ShownFrames& shown, const Source& source,
             std::function<void(int64_t frames)> on_done);

  /// A slice as VideoVae::decode gives it.
  void push(const Tensor& decoded);
  /// Completes the files. Returns the frames, if they were to be kept: uint8 [F, H, W, 3] RGB on the CPU, in parts.
  std::vector<Tensor> finish();

 private:
  /// What one slice shows, and how many frames were decoded for it.
  struct Slice {
    std::optional<HostCopy> shown;
    int64_t decoded;
  };
  std::optional<HostCopy> start_copy(const std::optional<Tensor>& frames);
  void hand_on_first();
  void write(const Tensor& frames);

  const OutputFiles& files_;
  std::optional<VideoOutput> video_;
  int64_t left_out_;  ///< frames still to be left out
  FrameStream stream_;
  bool keep_;
  std::function<void(int64_t)> on_done_;
  std::deque<Slice> in_flight_;
  std::vector<Tensor> kept_;
};

}  // namespace faststar
