#include "core/lab/metrics/sample_frames.h"

#include <ATen/ATen.h>

namespace faststar::test {

Tensor patterned_frame(int64_t shift, int64_t height, int64_t width) {
  const Tensor y = at::arange(height).view({height, 1, 1}), x = at::arange(width).view({width, 1});
  const Tensor c = at::arange(3);
  const Tensor value = 7 * x + 13 * y + 31 * c + (x * y).remainder(29) + shift * (x + 2 * y).remainder(5);
  return value.remainder(256).to(at::kByte).unsqueeze(0);
}

}  // namespace faststar::test
