#include "core/media/frame_sink.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace faststar {

void check_frames(const Tensor& frames) {
  if (frames.scalar_type() == at::kByte && frames.dim() == 4 && frames.size(3) == 3 && frames.is_cpu() &&
      frames.is_contiguous())
    return;
  fail(ErrorKind::internal, fmt::format("frames: expected contiguous uint8 [F, H, W, 3] on the CPU, got {} {}",
                                        dtype_text(frames.scalar_type()), shape_text(frames.sizes())));
}

}  // namespace faststar
