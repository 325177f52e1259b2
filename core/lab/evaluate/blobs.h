#pragma once
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

/// A connected piece of a mask, in pixels.
struct Blob {
  struct Pixel {
    int x, y;
  };
  std::vector<Pixel> pixels;
  double x = 0;  ///< centre of mass
  double y = 0;
  double area() const { return static_cast<double>(pixels.size()); }
};

/// The pieces of mask [H, W] bool (CPU) that have at least `least_pixels`, the largest first. Pixels that share an
/// edge are connected.
std::vector<Blob> find_blobs(const Tensor& mask, int least_pixels);

/// Intersection over union when `b` is moved so that both centres agree, to a pixel. In 0..1.
double centred_overlap(const Blob& a, const Blob& b);

}  // namespace faststar
