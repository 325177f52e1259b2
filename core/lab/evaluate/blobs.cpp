#include "core/lab/evaluate/blobs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <unordered_set>

#include "core/lab/world/appearance.h"

namespace faststar {
namespace {

/// Takes the piece that holds `start` out of the mask.
Blob take_piece(at::TensorAccessor<bool, 2> mask, Blob::Pixel start) {
  Blob blob;
  const auto visit = [&](int x, int y) {
    if (x < 0 || y < 0 || x >= mask.size(1) || y >= mask.size(0) || !mask[y][x]) return;
    mask[y][x] = false;
    blob.pixels.push_back({x, y});
  };
  visit(start.x, start.y);
  for (size_t next = 0; next < blob.pixels.size(); ++next) {
    const Blob::Pixel pixel = blob.pixels[next];
    visit(pixel.x - 1, pixel.y);
    visit(pixel.x + 1, pixel.y);
    visit(pixel.x, pixel.y - 1);
    visit(pixel.x, pixel.y + 1);
  }
  for (const Blob::Pixel& pixel : blob.pixels) {
    blob.x += pixel.x / blob.area();
    blob.y += pixel.y / blob.area();
  }
  return blob;
}

using std::numbers::pi;

constexpr int kDirections = 40;     ///< that the outline is sampled in
constexpr int kRings = 12;          ///< of the histogram of distances
constexpr double kLastRing = 1.02;  ///< in roots of the area: farther than a star's points
constexpr std::array kHarmonics = {2, 3, 4, 5};
constexpr double kHarmonicWeight = 3;
constexpr double kMinArea = 60;  ///< pixels; less shows no shape

/// The farthest pixel in every direction, in roots of the area; the mean where there is none.
std::array<double, kDirections> outline_of(const Blob& blob) {
  std::array<double, kDirections> farthest{};
  for (const Blob::Pixel& pixel : blob.pixels) {
    const double dx = pixel.x - blob.x, dy = pixel.y - blob.y;
    const auto direction = static_cast<size_t>((std::atan2(dy, dx) / (2 * pi) + .5) * kDirections) % kDirections;
    farthest[direction] = std::max(farthest[direction], std::hypot(dx, dy) / std::sqrt(blob.area()));
  }
  double sum = 0;
  for (const double distance : farthest) sum += distance;
  const auto hit = kDirections - std::ranges::count(farthest, 0.0);
  std::ranges::replace(farthest, 0.0, sum / static_cast<double>(hit));
  return farthest;
}

/// How strongly the outline waves `harmonic` times around, relative to its mean: whatever the turn.
double wave(const std::array<double, kDirections>& outline, int harmonic) {
  std::complex<double> sum = 0;
  double mean = 0;
  for (int i = 0; i < kDirections; ++i) {
    sum += std::polar(outline[static_cast<size_t>(i)], 2 * pi * harmonic * i / kDirections);
    mean += outline[static_cast<size_t>(i)];
  }
  return std::abs(sum) / mean;
}

/// Shares of the pixels by distance from the centre, then the waves of the outline.
std::vector<double> features_of(const Blob& blob) {
  std::vector<double> features(kRings, 0.0);
  for (const Blob::Pixel& pixel : blob.pixels) {
    const double distance = std::hypot(pixel.x - blob.x, pixel.y - blob.y) / std::sqrt(blob.area());
    const auto ring = static_cast<size_t>(distance / kLastRing * kRings);
    if (ring < kRings) features[ring] += 1 / blob.area();
  }
  const auto outline = outline_of(blob);
  for (const int harmonic : kHarmonics) features.push_back(kHarmonicWeight * wave(outline, harmonic));
  return features;
}

double distance_between(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum;
}

/// A shape of `radius` pixels, turned by `angle`. distances [S, S]: the shape's table.
Blob drawn_shape(const Tensor& distances, double radius, double angle) {
  const auto half = static_cast<int64_t>(std::ceil(radius * kShapeReach));
  const Tensor pixel = (at::arange(-half, half + 1, at::kFloat)) / (radius * kShapeReach);
  const Tensor x = pixel.unsqueeze(0), y = pixel.unsqueeze(1);
  const Tensor turned =
      at::stack({x * std::cos(angle) + y * std::sin(angle), y * std::cos(angle) - x * std::sin(angle)}, -1);
  constexpr int64_t kBilinear = 0, kBorder = 1;
  const Tensor inside =
      at::grid_sampler_2d(distances.unsqueeze(0).unsqueeze(0), turned.unsqueeze(0), kBilinear, kBorder,
                          /*align_corners=*/true)[0][0] < 0;
  return find_blobs(inside, 1).front();
}

}  // namespace

std::vector<Blob> find_blobs(const Tensor& mask, int min_pixels) {
  const Tensor rest = mask.clone();
  const auto left = rest.accessor<bool, 2>();
  std::vector<Blob> blobs;
  for (int y = 0; y < left.size(0); ++y) {
    for (int x = 0; x < left.size(1); ++x) {
      if (!left[y][x]) continue;
      Blob blob = take_piece(left, {x, y});
      if (blob.area() >= min_pixels) blobs.push_back(std::move(blob));
    }
  }
  std::ranges::stable_sort(blobs, std::greater{}, &Blob::area);
  return blobs;
}

double centred_overlap(const Blob& a, const Blob& b) {
  const auto key = [](int x, int y) { return int64_t{y} << 32 | static_cast<uint32_t>(x); };
  std::unordered_set<int64_t> covered;
  for (const Blob::Pixel& pixel : a.pixels) covered.insert(key(pixel.x, pixel.y));
  const int shift_x = static_cast<int>(std::lround(a.x - b.x)), shift_y = static_cast<int>(std::lround(a.y - b.y));
  const auto common = static_cast<double>(std::ranges::count_if(
      b.pixels, [&](const Blob::Pixel& pixel) { return covered.contains(key(pixel.x + shift_x, pixel.y + shift_y)); }));
  return common / (a.area() + b.area() - common);
}

ShapeReader::ShapeReader() {
  constexpr std::array kRadii = {8.5, 12., 16., 20., 26.};  // pixels of a frame at half size
  constexpr int kAngles = 5;
  const Tensor tables = shape_distances(128).squeeze(1);
  for (int64_t shape = 0; shape < tables.size(0); ++shape) {
    for (const double radius : kRadii) {
      for (int i = 0; i < kAngles; ++i) {
        const Blob blob = drawn_shape(tables[shape], radius, .35 * i);
        references_.push_back({static_cast<Shape>(shape), features_of(blob)});
      }
    }
  }
}

std::optional<Shape> ShapeReader::operator()(const std::vector<Blob>& blobs) const {
  std::array<int, kChoiceNames<Shape>.size()> votes{};
  for (const Blob& blob : blobs) {
    if (blob.area() < kMinArea) continue;
    const auto features = features_of(blob);
    const auto nearest = std::ranges::min_element(
        references_, {}, [&](const Reference& reference) { return distance_between(reference.features, features); });
    ++votes[static_cast<size_t>(nearest->shape)];
  }
  const auto most = std::ranges::max_element(votes);
  if (*most == 0) return std::nullopt;
  return static_cast<Shape>(most - votes.begin());
}

}  // namespace faststar
