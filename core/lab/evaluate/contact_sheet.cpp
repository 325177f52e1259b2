#include "core/lab/evaluate/contact_sheet.h"

#include <ATen/ATen.h>

#include "core/model/vae/frames.h"

namespace faststar {
namespace {

/// Evenly spaced frames of a clip beside each other: [h, frames w, 3] uint8.
Tensor film_strip(const Tensor& clip, int64_t frames_shown) {
  const Tensor index = at::linspace(0, static_cast<double>(clip.size(1) - 1), frames_shown, clip.options()).round();
  const Tensor frames = clip.index_select(1, index.to(at::kLong)).to(at::kFloat);
  const Tensor half = at::avg_pool2d(frames.transpose(0, 1), {2, 2});       // [f, 3, h, w]
  const Tensor bytes = to_frames(half.transpose(0, 1).unsqueeze(0)).cpu();  // [f, h, w, 3]
  return bytes.transpose(0, 1).flatten(1, 2);
}

}  // namespace

Tensor contact_sheet(std::span<const Tensor> clips, int64_t frames_shown, int64_t columns) {
  constexpr int64_t kGap = 2;  // white pixels below and beside every strip
  std::vector<Tensor> strips;
  for (const Tensor& clip : clips) {
    strips.push_back(at::constant_pad_nd(film_strip(clip, frames_shown), {0, 0, 0, kGap, 0, kGap}, 255));
  }
  const auto rows = (static_cast<int64_t>(strips.size()) + columns - 1) / columns;
  while (static_cast<int64_t>(strips.size()) < rows * columns) strips.push_back(at::full_like(strips.front(), 255));
  const Tensor all = at::stack(strips).unflatten(0, {columns, rows});  // [columns, rows, h, w, 3]
  return all.flatten(1, 2).transpose(0, 1).flatten(1, 2).contiguous();
}

}  // namespace faststar
