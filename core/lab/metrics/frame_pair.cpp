#include "core/lab/metrics/frame_pair.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace faststar {

void check_frame_pair(const char* metric, const Tensor& a, const Tensor& b, int64_t smallest_side) {
  if (a.dim() != 4 || a.sizes() != b.sizes()) {
    fail(ErrorKind::input, fmt::format("{}: expected two sets of frames of one shape [F, H, W, C], got {} and {}",
                                       metric, shape_text(a.sizes()), shape_text(b.sizes())));
  }
  if (std::min(a.size(1), a.size(2)) < smallest_side) {
    fail(ErrorKind::input, fmt::format("{}: expected frames of at least {}x{} pixels, got {}x{}", metric, smallest_side,
                                       smallest_side, a.size(2), a.size(1)));
  }
}

}  // namespace faststar
