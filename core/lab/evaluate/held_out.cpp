#include "core/lab/evaluate/held_out.h"

#include <ATen/ATen.h>

namespace faststar {
namespace {

WorldSettings without_emphasis(WorldSettings settings) {
  settings.emphasis = 1;
  return settings;
}

}  // namespace

HeldOutClips::HeldOutClips(at::Device device, WorldSettings settings, HeldOutSet set)
    : world_(without_emphasis(settings)),
      seed_(held_out_seed(static_cast<uint32_t>(set))),
      device_(device),
      renderer_(device) {}

ClipBatch HeldOutClips::render(const ClipRecord& record, int64_t first, int64_t frames) const {
  FrameWindow window = full_window(1, frames, device_);
  window.first_frame = window.first_frame + first;
  return renderer_(records_to_tensor({&record, 1}).to(device_), window);
}

Tensor HeldOutClips::stills(const ClipRecord& record, const Tensor& numbers) const {
  const std::vector<ClipRecord> copies(static_cast<size_t>(numbers.size(0)), record);
  FrameWindow window = full_window(numbers.size(0), 1, device_);
  window.first_frame = numbers.to(device_);
  return renderer_(records_to_tensor(copies).to(device_), window).pixels.squeeze(2).transpose(0, 1);
}

}  // namespace faststar
