#include "core/lab/evaluate/blobs.h"

#include <ATen/ATen.h>

#include "core/lab/world/clip_renderer.h"
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

/// The outline of a spinning shape in some frame, at half size.
Blob spinning(Shape shape, ObjectSize size, int64_t frame) {
  const ClipRecord record{.objects = {{.shape = shape, .size = size, .motion = Motion::spin, .x = .8, .y = .5}}};
  FrameWindow window = full_window(1, 1, at::kCPU);
  window.first_frame = at::tensor({frame}, at::kLong);
  static const ClipRenderer render(at::kCPU);
  const Tensor coverage = render(records_to_tensor({&record, 1}), window).coverage[0][0];  // [1, H, W]
  return find_blobs(at::avg_pool2d(coverage.unsqueeze(0), {2, 2})[0][0] > .5, 1).front();
}

TEST_CASE("every shape is known at every size and angle", "[evaluate]") {
  const ShapeReader read;
  for (size_t shape = 0; shape < kChoiceNames<Shape>.size(); ++shape) {
    for (const ObjectSize size : {ObjectSize::small, ObjectSize::big}) {
      for (const int64_t frame : {0, 5, 12, 21}) {
        const auto asked = static_cast<Shape>(shape);
        INFO(choice_name(asked) << " " << choice_name(size) << " in frame " << frame);
        CHECK(read({spinning(asked, size, frame)}) == asked);
      }
    }
  }
}

TEST_CASE("the shape is the one that most frames show", "[evaluate]") {
  const auto star = spinning(Shape::star, ObjectSize::big, 0), ball = spinning(Shape::ball, ObjectSize::big, 0);
  CHECK(ShapeReader()({star, ball, star}) == Shape::star);
}

TEST_CASE("a speck has no shape", "[evaluate]") {
  Blob speck;
  speck.pixels = {{3, 3}, {4, 3}};
  CHECK_FALSE(ShapeReader()({speck}).has_value());
}

}  // namespace
}  // namespace faststar
