#pragma once
#include <optional>
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/world/scene.h"

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

/// The connected pieces of mask [H, W] bool (CPU) with at least `min_pixels` pixels, the largest first. Pixels that
/// share an edge are connected.
std::vector<Blob> find_blobs(const Tensor& mask, int min_pixels);

/// Intersection over union after `b` is moved to the centre of `a`, rounded to a pixel. 0 to 1.
double centred_overlap(const Blob& a, const Blob& b);

/// Recognises the shape of a blob at any size and rotation, from the distances of its pixels to the centre and the
/// harmonics of its outline. Compares with every shape of the world as rendered.
class ShapeReader {
 public:
  ShapeReader();

  /// The shape of most of `blobs`, one object over time. nullopt when all are too small.
  std::optional<Shape> operator()(const std::vector<Blob>& blobs) const;

 private:
  struct Reference {
    Shape shape;
    std::vector<double> features;
  };
  std::vector<Reference> references_;
};

}  // namespace faststar
