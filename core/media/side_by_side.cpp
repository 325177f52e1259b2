#include "core/media/side_by_side.h"

#include <ATen/ATen.h>

namespace faststar {
namespace {

constexpr int64_t kGap = 8;       // pixels
constexpr int64_t kGapGrey = 32;  // level

int64_t next_even(int64_t length) { return length + length % 2; }

}  // namespace

PixelSize side_by_side_size(PixelSize frame) { return {next_even(frame.height), 2 * frame.width + kGap}; }

Tensor side_by_side(const Tensor& a, const Tensor& b) {
  const int64_t width = a.size(1);
  const PixelSize size = side_by_side_size({a.size(0), width});
  Tensor both = at::full({size.height, size.width, 3}, kGapGrey, a.options());
  both.narrow(0, 0, a.size(0)).narrow(1, 0, width).copy_(a);
  both.narrow(0, 0, a.size(0)).narrow(1, width + kGap, width).copy_(b);
  return both;
}

}  // namespace faststar
