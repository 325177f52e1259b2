#pragma once
#include <cstdint>
#include <string>

#include "core/base/tensor.h"

namespace faststar {

struct PixelSize {
  int64_t height = 0;
  int64_t width = 0;
};

/// Lanczos (a = 3), widened when shrinking; bit-identical to Pillow's Image.resize of 8-bit pictures.
/// image: uint8 [H, W, 3] on the CPU. Returns uint8 [size.height, size.width, 3].
Tensor resize_lanczos(const Tensor& image, PixelSize size);

/// How to fit a picture with another aspect: `crop` fills the size and cuts off the rest, `pad` shows the whole picture
/// between black bars.
enum class Fit { crop, pad };

/// How a picture is brought to its size.
struct Fitting {
  PixelSize source;
  PixelSize resized;  ///< before cropping or padding
  PixelSize target;
  /// "1920x1080 resized to 853x480, 2 columns cut at the left and 3 at the right"; empty when nothing was cut
  /// or added.
  std::string text() const;
};

/// What fit_to does with a picture of size `source`. Throws Error(input) when its aspect is too extreme to resize.
Fitting plan_fit(PixelSize source, PixelSize target, Fit fit);

/// `image` (uint8 [H, W, 3], CPU) resized with its aspect kept, then cropped or padded around its middle:
/// uint8 [target.height, target.width, 3]. Fit::crop is `transform` of InfinityStar tools/run_infinity.py,
/// its truncations included. Throws as plan_fit.
Tensor fit_to(const Tensor& image, PixelSize target, Fit fit);

/// The VAE encoder's input: float32 [3, H, W] in [-1, 1], x/255 and then x+x-1. image: uint8 [H, W, 3].
Tensor to_pixels(const Tensor& image);

}  // namespace faststar
