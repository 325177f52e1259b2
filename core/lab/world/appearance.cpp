#include "core/lab/world/appearance.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace faststar {
namespace {

using std::numbers::pi;

/// In the order of ObjectColour: saturated, and apart from each other and from every background.
constexpr std::array<Rgb, kChoiceNames<ObjectColour>.size()> kObjects = {{{.88f, .10f, .12f},
                                                                          {.98f, .50f, .05f},
                                                                          {.99f, .85f, .10f},
                                                                          {.10f, .62f, .22f},
                                                                          {.12f, .32f, .88f},
                                                                          {.55f, .18f, .75f},
                                                                          {.10f, .10f, .12f},
                                                                          {.97f, .36f, .66f},
                                                                          {.46f, .26f, .12f},
                                                                          {.04f, .72f, .78f}}};

/// In the order of BackgroundColour: pale.
constexpr std::array<Rgb, kChoiceNames<BackgroundColour>.size()> kBackgrounds = {{{.62f, .78f, .97f},
                                                                                  {.66f, .88f, .68f},
                                                                                  {.98f, .72f, .82f},
                                                                                  {.99f, .93f, .60f},
                                                                                  {.80f, .72f, .95f},
                                                                                  {.74f, .75f, .78f}}};

/// How far the paler tone is from white, as a share of the first tone's distance.
constexpr float kPaler = .35f;

/// |x| <= half_width and |y| <= half_height.
Tensor box(const Tensor& x, const Tensor& y, double half_width, double half_height) {
  return at::maximum(x.abs() - half_width, y.abs() - half_height);
}

Tensor triangle(const Tensor& x, const Tensor& y) {
  const double half = std::sqrt(3.0) / 2;
  return at::maximum(x.abs() * half - y * .5, y) - .56;
}

/// Five points at distance 1.2; the corners between them at .54.
Tensor star(const Tensor& x, const Tensor& y, const Tensor& r) {
  constexpr double kOuter = 1.2, kInner = .54;
  const Tensor turn = at::atan2(x, -y) * (5 / (2 * pi));
  const Tensor angle = (turn - turn.round()).abs() * (2 * pi / 5);  // from the nearest point, 0..pi/5
  const double corner_along = kInner * std::cos(pi / 5);
  const double corner_aside = kInner * std::sin(pi / 5);
  const double length = std::hypot(corner_aside, kOuter - corner_along);
  return ((r * angle.cos() - kOuter) * corner_aside + r * angle.sin() * (kOuter - corner_along)) / length;
}

/// Two half discs on a square that stands on its corner.
Tensor heart(const Tensor& x, const Tensor& y) {
  constexpr double kScale = 1.7, kCentre = .62;  // the outline below is 1.1 high, its tip at 0
  const Tensor px = x.abs() / kScale;
  const Tensor py = kCentre - y / kScale;  // up
  const Tensor lobe = at::hypot(px - .25, py - .75) - std::sqrt(2.0) / 4;
  const Tensor foot = (px + py).clamp_min(0) / 2;  // nearest point of the lower edge
  const Tensor edge = at::minimum(at::hypot(px, py - 1), at::hypot(px - foot, py - foot)) * (px - py).sign();
  return at::where(px + py > 1, lobe, edge) * kScale;
}

Tensor upright_cross(const Tensor& x, const Tensor& y) {
  constexpr double kLength = .95, kThickness = .34;
  return at::minimum(box(x, y, kLength, kThickness), box(x, y, kThickness, kLength));
}

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

Rgb object_colour(ObjectColour colour) { return kObjects[static_cast<size_t>(colour)]; }

BackgroundTones background_tones(BackgroundColour colour) {
  BackgroundTones tones{.tone = kBackgrounds[static_cast<size_t>(colour)], .paler = {}};
  for (size_t i = 0; i < tones.tone.size(); ++i) tones.paler[i] = 1 - (1 - tones.tone[i]) * kPaler;
  return tones;
}

Tensor shape_distances(int64_t size) {
  const Tensor axis = at::linspace(-kShapeReach, kShapeReach, size);
  const Tensor x = axis.unsqueeze(0).expand({size, size});
  const Tensor y = axis.unsqueeze(1).expand({size, size});
  const Tensor r = at::hypot(x, y);
  std::vector<Tensor> shapes(kChoiceNames<Shape>.size());
  shapes[static_cast<size_t>(Shape::ball)] = r - 1;
  shapes[static_cast<size_t>(Shape::square)] = box(x, y, .86, .86);
  shapes[static_cast<size_t>(Shape::triangle)] = triangle(x, y);
  shapes[static_cast<size_t>(Shape::star)] = star(x, y, r);
  shapes[static_cast<size_t>(Shape::ring)] = (r - .74).abs() - .26;
  shapes[static_cast<size_t>(Shape::heart)] = heart(x, y);
  shapes[static_cast<size_t>(Shape::cross)] = upright_cross(x, y);
  return at::stack(shapes).unsqueeze(1);
}

Tensor background_patterns() {
  const double height = kWorldHeight;
  const Tensor y = ((at::arange(kWorldHeight, at::kFloat) + .5) / height).unsqueeze(1).expand({-1, kPatternPeriod});
  const Tensor x = ((at::arange(kPatternPeriod, at::kFloat) + .5) / height).expand({kWorldHeight, -1});
  std::vector<Tensor> patterns(kChoiceNames<Pattern>.size());
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
