#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/lab/metrics/fidelity.h"
#include "core/media/resize.h"
#include "core/media/video_reader.h"

namespace faststar {

/// The frames of a video, or the one of a picture, in order.
class FrameSource {
 public:
  /// Recognises pictures by their content. Throws Error(input) as VideoReader and read_image.
  explicit FrameSource(const std::filesystem::path& path);

  PixelSize size() const;
  int64_t frames() const;
  /// Frames per second; nothing for a picture.
  std::optional<double> fps() const;
  /// uint8 [H, W, 3] RGB; nothing after the last.
  std::optional<Tensor> next();

 private:
  std::unique_ptr<VideoReader> video_;  // null: it is a picture
  Tensor picture_;
  bool picture_taken_ = false;
};

/// Which two videos or pictures to compare, and how.
struct ComparisonRequest {
  std::string a, b;
  int64_t skip = 0;          ///< first frames that are not measured, at least 0
  std::string side_by_side;  ///< a file with `a` left and `b` right; empty: none
  Existing existing = Existing::refuse;
  std::string lpips_backbone, lpips_linear;  ///< weights; empty: LPIPS is not measured
  std::string device;                        ///< for pick_device
};

/// How alike they are.
struct FileComparison {
  std::vector<FrameFidelity> frames;  ///< those that were measured, in order
  int64_t first = 0;                  ///< number of the first of them
  PixelSize size;
  std::string times;  ///< row of the table: how long each run took; empty where that is not recorded or comparable
};

/// Compares the files frame by frame and writes `side_by_side`. Warns when both say how they were made and are not
/// versions of one video. Throws Error(input) when sizes or numbers of frames differ or a file cannot be read,
/// Error(usage), Error(model), Error(device), Error(output).
FileComparison compare_files(const ComparisonRequest& request);

/// CSV with the columns `frame,psnr,ssim,lpips`; the PSNR of an identical frame is `inf`, LPIPS without weights is
/// empty.
std::string comparison_csv(const FileComparison& comparison);

/// The table for the terminal: mean and worst frame of each metric, and the pooled PSNR.
std::string comparison_table(const FileComparison& comparison);

}  // namespace faststar
