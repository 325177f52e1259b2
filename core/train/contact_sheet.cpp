#include "core/train/contact_sheet.h"

#include <ATen/ATen.h>

namespace faststar {

Tensor contact_sheet(const std::vector<Tensor>& videos, const std::vector<int64_t>& frames) {
  std::vector<Tensor> pictures;  // [B, 3, H/2, W/2]
  for (const Tensor& video : videos) {
    for (const int64_t frame : frames) pictures.push_back(at::avg_pool2d(video.select(2, frame), {2, 2}));
  }
  const Tensor rows = at::cat(pictures, 3);                            // [B, 3, H/2, columns]
  const Tensor sheet = rows.permute({0, 2, 3, 1}).flatten(0, 1);       // [B H/2, columns, 3]
  return ((sheet.to(at::kFloat) + 1) * 127.5).round().clamp(0, 255).to(at::kByte).to(at::kCPU).contiguous();
}

}  // namespace faststar
