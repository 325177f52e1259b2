#include "core/model/vae/frames.h"

#include <ATen/ATen.h>

#include <utility>

namespace faststar {

Tensor to_frames(const Tensor& decoded) {
  TORCH_CHECK(decoded.dim() == 5 && decoded.size(0) == 1 && decoded.size(1) == 3,
              "to_frames: expected [1, 3, F, H, W], got ", decoded.sizes());
  const Tensor unit = at::clamp((decoded + 1) / 2, 0, 1);
  return (unit * 255).to(at::kByte)[0].permute({1, 2, 3, 0}).contiguous();
}

std::optional<Tensor> FrameStream::push(const Tensor& decoded) {
  Tensor frames = to_frames(decoded);
  if (rule_ == FirstFrame::keep || (started_ && !waiting_)) return frames;
  if (!std::exchange(started_, true)) {
    if (frames.size(0) == 1) {
      waiting_ = frames;
      return std::nullopt;
    }
    frames[0].copy_(frames[1]);
    return frames;
  }
  waiting_.reset();
  return at::cat({frames.narrow(0, 0, 1), frames}, 0);
}

std::optional<Tensor> FrameStream::finish() { return std::exchange(waiting_, std::nullopt); }

}  // namespace faststar
