#include "core/media/resize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/base/error.h"

namespace faststar {
namespace {

constexpr double kLobes = 3;
constexpr int kFractionBits = 22;  // Pillow's fixed point: 32 - 8 bits of a pixel - 2 for overshoot

double lanczos(double x) {
  if (x <= -kLobes || x >= kLobes) return 0;
  if (x == 0) return 1;
  const double angle = std::numbers::pi * x;
  return std::sin(angle) / angle * std::sin(angle / kLobes) / (angle / kLobes);
}

/// The inputs that make one output, and their weights in fixed point.
struct Taps {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

Taps taps_of(int64_t output, int64_t in, double scale) {
  const double widening = std::max(1.0, scale);
  const double centre = (static_cast<double>(output) + 0.5) * scale;
  const auto first = std::max<int64_t>(0, static_cast<int64_t>(centre - kLobes * widening + 0.5));
  const auto end = std::min(in, static_cast<int64_t>(centre + kLobes * widening + 0.5));
  std::vector<double> weights;
  double sum = 0;
  for (int64_t j = first; j < end; ++j) {
    weights.push_back(lanczos((static_cast<double>(j) - centre + 0.5) * (1 / widening)));
    sum += weights.back();
  }
  Taps taps{first, {}};
  for (const double weight : weights) {  // std::round: halves away from zero
    taps.weights.push_back(static_cast<int32_t>(std::round(weight / sum * (1 << kFractionBits))));
  }
  return taps;
}

std::vector<Taps> all_taps(int64_t in, int64_t out) {
  std::vector<Taps> taps;
  for (int64_t i = 0; i < out; ++i) taps.push_back(taps_of(i, in, static_cast<double>(in) / static_cast<double>(out)));
  return taps;
}

/// One output byte from input bytes that lie `stride` apart.
uint8_t weighted_sum(const Taps& taps, const uint8_t* input, int64_t stride) {
  int32_t sum = 1 << (kFractionBits - 1);
  for (const int32_t weight : taps.weights) {
    sum += *input * weight;
    input += stride;
  }
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

/// `image`, contiguous, with another length of axis 0 (height) or 1 (width).
Tensor resize_axis(const Tensor& image, int64_t axis, int64_t length) {
  const int64_t in_length = image.size(axis);
  const int64_t stride = c10::multiply_integers(image.sizes().slice(static_cast<size_t>(axis) + 1));
  const auto taps = all_taps(in_length, length);
  std::vector<int64_t> shape = image.sizes().vec();
  shape[static_cast<size_t>(axis)] = length;
  Tensor result = at::empty(shape, at::kByte);
  const auto* in = image.const_data_ptr<uint8_t>();
  auto* out = result.mutable_data_ptr<uint8_t>();
  at::parallel_for(0, result.numel() / stride, 1, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {  // `stride` bytes each, which have the same taps
      const Taps& tap = taps[static_cast<size_t>(line % length)];
      const uint8_t* first = in + (line / length * in_length + tap.first) * stride;
      for (int64_t i = 0; i < stride; ++i) out[line * stride + i] = weighted_sum(tap, first + i, stride);
    }
  });
  return result;
}

/// The size with the source's aspect that covers the target (crop) or fits into it (pad).
PixelSize resized_size(PixelSize source, PixelSize target, Fit fit) {
  const double aspect = static_cast<double>(source.width) / static_cast<double>(source.height);
  const bool narrower = aspect <= static_cast<double>(target.width) / static_cast<double>(target.height);
  if (narrower == (fit == Fit::crop)) {
    return {static_cast<int64_t>(static_cast<double>(target.width) / aspect), target.width};
  }
  return {target.height, static_cast<int64_t>(aspect * static_cast<double>(target.height))};
}

std::string sides_text(int64_t amount, const char* unit, const char* one, const char* other) {
  if (amount == 0) return {};
  const int64_t first = std::abs(amount) / 2;
  return fmt::format(", {} {} {} at the {} and {} at the {}", first, unit, amount > 0 ? "cut" : "of black", one,
                     std::abs(amount) - first, other);
}

}  // namespace

Tensor resize_lanczos(const Tensor& image, PixelSize size) {
  Tensor result = image.contiguous();
  if (size.width != image.size(1)) result = resize_axis(result, 1, size.width);
  if (size.height != image.size(0)) result = resize_axis(result, 0, size.height);
  return result;
}

std::string Fitting::text() const {
  const std::string cut = sides_text(resized.width - target.width, "columns", "left", "right") +
                          sides_text(resized.height - target.height, "rows", "top", "bottom");
  if (cut.empty()) return {};
  return fmt::format("{}x{} resized to {}x{}{}", source.width, source.height, resized.width, resized.height, cut);
}

Fitting plan_fit(PixelSize source, PixelSize target, Fit fit) {
  constexpr int64_t kMaxResizedPixels = int64_t{1} << 28;
  PixelSize resized = resized_size(source, target, fit);
  // Truncation may end one pixel short of the target, or at zero.
  if (fit == Fit::crop) resized = {std::max(resized.height, target.height), std::max(resized.width, target.width)};
  resized = {std::max<int64_t>(resized.height, 1), std::max<int64_t>(resized.width, 1)};
  if (resized.height > kMaxResizedPixels / resized.width) {
    fail(ErrorKind::input,
         fmt::format("a picture of {}x{} is too long and narrow for {}x{}", source.width, source.height, target.width,
                     target.height),
         fit == Fit::crop ? "--fit pad" : "");
  }
  return {source, resized, target};
}

Tensor fit_to(const Tensor& image, PixelSize target, Fit fit) {
  const PixelSize resized = plan_fit({image.size(0), image.size(1)}, target, fit).resized;
  const Tensor picture = resize_lanczos(image, resized);
  if (fit == Fit::crop) {
    const int64_t top = (resized.height - target.height) / 2, left = (resized.width - target.width) / 2;
    return picture.narrow(0, top, target.height).narrow(1, left, target.width).contiguous();
  }
  Tensor padded = at::zeros({target.height, target.width, 3}, at::kByte);
  const int64_t top = (target.height - resized.height) / 2, left = (target.width - resized.width) / 2;
  padded.narrow(0, top, resized.height).narrow(1, left, resized.width).copy_(picture);
  return padded;
}

Tensor to_pixels(const Tensor& image) {
  const Tensor unit = image.permute({2, 0, 1}).to(at::kFloat).div(255);
  return (unit + unit - 1).contiguous();
}

}  // namespace faststar
