#include "core/lab/heatmap/panels.h"

#include <ATen/ATen.h>

#include "core/lab/heatmap/colour_map.h"

namespace faststar {
namespace {

constexpr double kScoreShare = 0.8;   // of the colours in their mixture with the frame
constexpr double kPrunedShare = 0.2;  // of the brightness that pruned places keep, on top of kPruned

// map [h, w, ...] -> [H, W, ...], each place a block.
Tensor enlarge(const Tensor& map, int64_t height, int64_t width) {
  const auto rows = at::floor_divide(at::arange(height) * map.size(0), height);
  const auto columns = at::floor_divide(at::arange(width) * map.size(1), width);
  return map.index_select(0, rows).index_select(1, columns);
}

// [H, W, 3] -> [H, W, 1], BT.601 luma.
Tensor grey(const Tensor& frame) {
  return at::matmul(frame.to(at::kFloat), at::tensor({0.299F, 0.587F, 0.114F})).unsqueeze(-1);
}

}  // namespace

Tensor score_panel(const Tensor& frame, const Tensor& score, double most) {
  const Tensor colours = viridis(most > 0 ? score / most : at::zeros_like(score)).to(at::kFloat);
  const Tensor mixture = enlarge(colours, frame.size(0), frame.size(1)) * kScoreShare + grey(frame) * (1 - kScoreShare);
  return mixture.round().to(at::kByte);
}

Tensor mask_panel(const Tensor& frame, const Tensor& mask) {
  const Tensor kept = enlarge(mask.ne(0), frame.size(0), frame.size(1)).unsqueeze(-1);
  const Tensor tint = at::tensor(at::ArrayRef<uint8_t>(kPruned.data(), kPruned.size()), at::kFloat);
  return at::where(kept, frame, (grey(frame) * kPrunedShare + tint).round().to(at::kByte));
}

}  // namespace faststar
