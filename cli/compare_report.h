#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/lab/metrics/fidelity.h"
#include "core/media/resize.h"

namespace faststar {

/// What was compared: the frames from `first` on, of two files.
struct ComparedFrames {
  std::vector<FrameFidelity> frames;
  int64_t first = 0;
  PixelSize size;
};

/// A line a frame under `frame,psnr,ssim,lpips`; the PSNR of an identical frame is `inf`, LPIPS without weights
/// is empty.
std::string fidelity_csv(const ComparedFrames& compared);

/// The table for people: each metric's mean and its worst frame, and the pooled PSNR.
std::string fidelity_table(const ComparedFrames& compared);

/// The seconds that the transformer took for two files of ours, a line of that table; empty when one does not tell.
std::string time_row(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace faststar
