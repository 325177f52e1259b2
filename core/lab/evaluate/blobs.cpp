#include "core/lab/evaluate/blobs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_set>

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

}  // namespace

std::vector<Blob> find_blobs(const Tensor& mask, int least_pixels) {
  const Tensor rest = mask.clone();
  const auto left = rest.accessor<bool, 2>();
  std::vector<Blob> blobs;
  for (int y = 0; y < left.size(0); ++y) {
    for (int x = 0; x < left.size(1); ++x) {
      if (!left[y][x]) continue;
      Blob blob = take_piece(left, {x, y});
      if (blob.area() >= least_pixels) blobs.push_back(std::move(blob));
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

}  // namespace faststar
