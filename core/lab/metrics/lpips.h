#pragma once
#include <vector>

#include "core/base/weights/weights.h"

namespace faststar {

/// Learned perceptual distance (LPIPS 0.1; Zhang et al. 2018): features of an image network, compared place by
/// place and weighted by learned heads. 0 for equal frames, larger is worse. As the PyPI package `lpips`.
class Lpips {
 public:
  /// `backbone`: AlexNet or VGG16 as torchvision saves them (`features.0.weight`, ...), told apart by their shapes;
  /// `heads`: the package's weights for it (`lin0.model.1.weight` [1, C, 1, 1], ...). Both float32, one device.
  /// Throws Error(model) for other networks and for heads that belong to another one.
  Lpips(const Weights& backbone, const Weights& heads);

  /// The distance of each pair of frames. a, b: uint8, or floating point in levels 0 to 255, [F, H, W, 3], one
  /// shape. Returns float64 [F] on the CPU. Throws Error(input) when shapes differ or frames are too small.
  Tensor operator()(const Tensor& a, const Tensor& b) const;

 private:
  struct Convolution {
    Tensor weight;  // [out, in, k, k]
    Tensor bias;    // [out]
    int64_t stride = 1;
    int64_t padding = 1;
    int64_t pool_before = 0;  ///< window of a max pooling of stride 2 in front; 0 for none
    Tensor head;              ///< [C], how much each channel counts; undefined where features are not compared
  };
  Tensor distance(const Tensor& a, const Tensor& b) const;

  at::Device device_;
  int64_t smallest_side_;
  std::vector<Convolution> convolutions_;
};

}  // namespace faststar
