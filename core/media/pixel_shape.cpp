#include "core/media/pixel_shape.h"

#include <algorithm>

namespace faststar {

PixelSize square_size(PixelSize stored, AVRational shape) {
  constexpr int kMostUneven = 8;
  if (shape.num <= 0 || shape.den <= 0 || shape.num / kMostUneven > shape.den || shape.den / kMostUneven > shape.num) {
    return stored;
  }
  const int64_t width = av_rescale_rnd(stored.width, shape.num, shape.den, AV_ROUND_NEAR_INF);
  return {stored.height, std::max<int64_t>(width, 1)};
}

Tensor with_square_pixels(const Tensor& pixels, AVRational shape) {
  return resize_lanczos(pixels, square_size({pixels.size(0), pixels.size(1)}, shape));
}

}  // namespace faststar
