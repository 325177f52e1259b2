#pragma once
#include <vector>

#include "core/lab/heatmap/canvas.h"
#include "core/lab/heatmap/trace.h"

namespace faststar {

/// A frame of the video to be shown.
struct HeatmapFrame {
  Tensor pixels;  ///< uint8 [H, W, 3]
  int64_t number = 0;
  double seconds = 0;
  LatentPlace place;
};

/// Pictures of what a run pruned (FastSTAR, Figures 7 and 8): a column a reduced step of the frame's clip, above the
/// score and below the kept and pruned tokens, both over the frame, with scale labels and a legend.
class HeatmapPainter {
 public:
  /// `trace` outlives the painter. `frame`: size of the video.
  HeatmapPainter(const Trace& trace, PixelSize frame);

  /// The size of the picture of one frame; even, as H.264 wants it.
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
  std::vector<double> most_;                   // by step: the score that gets the last colour
  bool has_scores_ = false;
  PixelSize panel_;
  int64_t column_ = 0;  // width, pixels
  size_t columns_ = 0;
};

}  // namespace faststar
