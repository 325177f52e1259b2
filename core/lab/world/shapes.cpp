#include "core/lab/world/shapes.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "core/lab/world/scene.h"

namespace faststar {
namespace {

using std::numbers::pi;

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

}  // namespace

Tensor shape_distances(int64_t size) {
  const Tensor axis = at::linspace(-kShapeReach, kShapeReach, size);
  const Tensor x = axis.unsqueeze(0).expand({size, size});
  const Tensor y = axis.unsqueeze(1).expand({size, size});
  const Tensor r = at::hypot(x, y);
  std::vector<Tensor> shapes(Choices<Shape>::names.size());
  shapes[static_cast<size_t>(Shape::ball)] = r - 1;
  shapes[static_cast<size_t>(Shape::square)] = box(x, y, .86, .86);
  shapes[static_cast<size_t>(Shape::triangle)] = triangle(x, y);
  shapes[static_cast<size_t>(Shape::star)] = star(x, y, r);
  shapes[static_cast<size_t>(Shape::ring)] = (r - .74).abs() - .26;
  shapes[static_cast<size_t>(Shape::heart)] = heart(x, y);
  shapes[static_cast<size_t>(Shape::cross)] = upright_cross(x, y);
  return at::stack(shapes).unsqueeze(1);
}

}  // namespace faststar
