#include "core/lab/world/patterns.h"

#include <ATen/ATen.h>

#include <numbers>

#include "core/lab/world/scene.h"

namespace faststar {
namespace {

using std::numbers::pi;

/// A wave in -1..1 as two tones with a soft edge: 0 and 1.
Tensor two_tones(const Tensor& wave, double steepness) { return (wave * steepness).clamp(-1, 1) * .5 + .5; }

/// Distance to the middle of the cell of a grid of edge `cell`, from -.5 to .5 cells.
Tensor in_cell(const Tensor& x, double cell) { return x / cell - (x / cell).floor() - .5; }

Tensor dots(const Tensor& x, const Tensor& y) {
  constexpr double kCell = .25, kRadius = .28;  // frame heights, cells
  const double sharpness = kCell * double{kWorldHeight} * .7;
  return ((kRadius - at::hypot(in_cell(x, kCell), in_cell(y, kCell))) * sharpness + .5).clamp(0, 1);
}

/// Paler lines of a sixth of their distance around multiples of 48 pixels.
Tensor grid(const Tensor& x, const Tensor& y) {
  constexpr double kCell = .25, kHalfLine = 1.0 / 12;
  const double sharpness = kCell * double{kWorldHeight} * .7;
  const Tensor from_line = .5 - at::maximum(in_cell(x, kCell).abs(), in_cell(y, kCell).abs());  // cells
  return ((kHalfLine - from_line) * sharpness + .5).clamp(0, 1);
}

}  // namespace

Tensor background_patterns() {
  const double height = kWorldHeight;
  const Tensor y = ((at::arange(kWorldHeight, at::kFloat) + .5) / height).unsqueeze(1).expand({-1, kPatternPeriod});
  const Tensor x = ((at::arange(kPatternPeriod, at::kFloat) + .5) / height).expand({kWorldHeight, -1});
  std::vector<Tensor> patterns(Choices<Pattern>::names.size());
  patterns[static_cast<size_t>(Pattern::plain)] = at::zeros_like(x);
  patterns[static_cast<size_t>(Pattern::gradient)] = y;
  patterns[static_cast<size_t>(Pattern::stripes)] = two_tones((x * (4 * pi)).sin(), 4);
  patterns[static_cast<size_t>(Pattern::checker)] = two_tones((x * (4 * pi)).sin() * (y * (4 * pi)).sin(), 8);
  patterns[static_cast<size_t>(Pattern::dots)] = dots(x, y);
  patterns[static_cast<size_t>(Pattern::waves)] =
      two_tones(((y * 3 + (x * (2 * pi / .875)).sin() * .22) * (2 * pi)).sin(), 2.5);
  patterns[static_cast<size_t>(Pattern::diagonal)] = two_tones(((x + y) * (4 * pi)).sin(), 3);
  patterns[static_cast<size_t>(Pattern::grid)] = grid(x, y);
  return at::stack(patterns);
}

}  // namespace faststar
