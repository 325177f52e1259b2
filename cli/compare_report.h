#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/lab/metrics/fidelity.h"
#include "core/media/resize.h"

namespace faststar {

/// The compared frames of two files, starting at frame `first`.
struct ComparedFrames {
  std::vector<FrameFidelity> frames;
  int64_t first = 0;
  PixelSize size;
};

/// CSV with the columns `frame,psnr,ssim,lpips`; the PSNR of an identical frame is `inf`, LPIPS without weights is
/// empty.
std::string fidelity_csv(const ComparedFrames& compared);

/// The table for the terminal: mean and worst frame of each metric, and the pooled PSNR.
std::string fidelity_table(const ComparedFrames& compared);

/// A line of that table: seconds of the transformer passes of two videos made by faststar; empty when a file does not
/// record them.
std::string time_row(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace faststar
