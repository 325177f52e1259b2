#include "core/lab/evaluate/blobs.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

/// A mask with the given rectangles: y, x, height, width.
Tensor mask_of(const std::vector<std::array<int64_t, 4>>& rectangles) {
  Tensor mask = at::zeros({40, 60}, at::kBool);
  for (const auto& [y, x, height, width] : rectangles) mask.narrow(0, y, height).narrow(1, x, width).fill_(true);
  return mask;
}

TEST_CASE("pieces of a mask come by size, with area and centre", "[evaluate]") {
  const auto blobs = find_blobs(mask_of({{2, 3, 4, 5}, {20, 30, 10, 11}}), 1);
  REQUIRE(blobs.size() == 2);
  CHECK(blobs[0].area() == 110);
  CHECK(blobs[0].x == Approx(35));
  CHECK(blobs[0].y == Approx(24.5));
  CHECK(blobs[1].area() == 20);
}

TEST_CASE("pixels that share only a corner are two pieces", "[evaluate]") {
  CHECK(find_blobs(mask_of({{2, 2, 3, 3}, {5, 5, 3, 3}}), 1).size() == 2);
  CHECK(find_blobs(mask_of({{2, 2, 3, 3}, {5, 4, 3, 3}}), 1).size() == 1);
}

TEST_CASE("specks are no pieces", "[evaluate]") {
  const auto blobs = find_blobs(mask_of({{2, 2, 3, 3}, {20, 20, 8, 8}}), 10);
  REQUIRE(blobs.size() == 1);
  CHECK(blobs[0].area() == 64);
}

TEST_CASE("overlap is told wherever the pieces are", "[evaluate]") {
  const auto here = find_blobs(mask_of({{0, 0, 6, 6}}), 1).front();
  const auto there = find_blobs(mask_of({{30, 50, 6, 6}}), 1).front();
  const auto lying = find_blobs(mask_of({{20, 20, 2, 18}}), 1).front();
  CHECK(centred_overlap(here, there) == 1);
  CHECK(centred_overlap(here, lying) == Approx(12.0 / 60));
}

}  // namespace
}  // namespace faststar
