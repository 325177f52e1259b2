#pragma once
#include <functional>

#include "core/base/progress.h"
#include "core/model/vae/frames.h"
#include "core/model/vae/video_vae.h"
#include "core/pipeline/outputs.h"

namespace faststar {

/// Which of the decoded frames become the video.
struct ShownFrames {
  FirstFrame first_frame = FirstFrame::copy;
  int64_t begin = 0;  ///< frames before it are left out
};

/// What a decode tells while it works: frames decoded so far, of all; throwing ends it.
using DecodeListener = std::function<void(int64_t done, int64_t total)>;

/// Hears of frames: uint8 [F, H, W, 3] RGB on any device.
using FrameListener = std::function<void(const Tensor& frames)>;

/// The listener that tells a run's progress; throws Error(interrupted) when it asks to stop. A decode that begins
/// again counts from where the last one came to.
class DecodeProgress {
 public:
  /// `cost` of the whole decode goes to `stage`.
  DecodeProgress(Progress& progress, Stage stage, double cost, at::Device device);
  void operator()(int64_t done, int64_t total);

 private:
  Progress& progress_;
  Stage stage_;
  double cost_;
  at::Device device_;
  int64_t before_ = 0;
};

/// Decodes `codes` [1, 64, T, H, W] slice by slice into a video, or into a picture when T is 1; `on_shown` hears of
/// the frames that are shown. Nothing is left behind when it throws.
class CodeDecoder {
 public:
  CodeDecoder(const VideoVae& vae, const Tensor& codes, const OutputFiles& files, const ShownFrames& shown,
              FrameListener on_shown = {});
  void run(const DecodeOptions& options, const DecodeListener& listener);
  /// Completes the files.
  void finish();

 private:
  void show(const std::optional<Tensor>& frames);

  const VideoVae& vae_;
  Tensor codes_;
  OutputFiles files_;
  int64_t left_out_;  ///< frames still to be left out
  FrameStream stream_;
  std::optional<VideoOutput> video_;
  FrameListener on_shown_;
};

}  // namespace faststar
