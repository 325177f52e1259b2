#pragma once
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/lab/heatmap/canvas.h"
#include "core/lab/heatmap/trace.h"

namespace faststar {

/// Values from 0 (dark violet) to 1 (yellow) as perceptually uniform colours; values outside are clamped, NaN is 1.
/// values: float32 [...] on the CPU. Returns uint8 [..., 3] RGB.
/// Source: the control points of viridis (S. van der Walt, N. Smith; CC0), interpolated linearly.
Tensor viridis(const Tensor& values);

/// Colour of pruned tokens: dark, with a tint that dark areas of a video rarely have.
inline constexpr Colour kPruned = {46, 34, 84};

/// `score` (float32 [h, w]) as colours from 0 to `max`, blended over a grey `frame` (uint8 [H, W, 3]), one block per
/// token. uint8 [H, W, 3].
Tensor score_panel(const Tensor& frame, const Tensor& score, double max);

/// `frame` (uint8 [H, W, 3]) unchanged where `mask` (uint8 [h, w]) is 1, grey and tinted with kPruned elsewhere.
/// uint8 [H, W, 3].
Tensor mask_panel(const Tensor& frame, const Tensor& mask);

/// A frame of the video to show.
struct HeatmapFrame {
  Tensor pixels;  ///< uint8 [H, W, 3]
  int64_t number = 0;
  double seconds = 0;
  LatentPlace place;
};

/// Pictures of what a run pruned (FastSTAR, Figures 7 and 8): one column per reduced step of the frame's clip, with
/// the score on top and the kept and pruned tokens below, both drawn on the frame, with scale labels and a legend.
class HeatmapPainter {
 public:
  /// `trace` outlives the painter. `frame`: size of the video.
  HeatmapPainter(const Trace& trace, PixelSize frame);

  /// Size of the picture of one frame; even, as H.264 requires.
  PixelSize size() const { return sheet_size(1, 1); }
  /// `frames` below each other: uint8 [H, W, 3]; of one frame [size(), 3].
  Tensor paint(const std::vector<HeatmapFrame>& frames) const;

 private:
  PixelSize sheet_size(int64_t bands, int64_t headings) const;
  const std::vector<size_t>& steps_of(int64_t clip) const { return steps_of_[static_cast<size_t>(clip)]; }
  int64_t column_x(size_t column) const;
  void draw_heading(Canvas& canvas, int64_t y, int64_t clip) const;
  void draw_band(Canvas& canvas, int64_t y, const HeatmapFrame& frame) const;
  void draw_step(Canvas& canvas, Point top_left, const Tensor& small, size_t step, int64_t latent) const;
  void draw_legend(Canvas& canvas) const;

  const Trace& trace_;
  std::vector<std::vector<size_t>> steps_of_;  // by clip: which of the trace's steps
  std::vector<double> max_score_;              // by step: the score drawn in the last colour
  bool has_scores_ = false;
  PixelSize panel_;
  int64_t column_ = 0;  // width, pixels
  size_t columns_ = 0;
};

/// The files of a heatmap.
struct HeatmapFiles {
  std::string trace, video, output;
};

/// Draws a run's trace on its video: as a picture of `rows` frames, evenly over the clips that were reduced, where the
/// output has the name of a picture, else as a video of all. Warns when trace and video are not of one run. Throws
/// Error(input) as read_trace and VideoReader, or when the video has another number of frames than the run, and as
/// write_image and make_video_writer.
void write_heatmap(const HeatmapFiles& files, int64_t rows, Existing existing);

}  // namespace faststar
