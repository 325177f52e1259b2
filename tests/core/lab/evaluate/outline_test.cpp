#include "core/lab/evaluate/outline.h"

#include <ATen/ATen.h>

#include "core/lab/world/clip_renderer.h"
#include "support/support.h"

namespace faststar {
namespace {

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
  const OutlineReader read;
  for (size_t shape = 0; shape < Choices<Shape>::names.size(); ++shape) {
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
  CHECK(OutlineReader()({star, ball, star}) == Shape::star);
}

TEST_CASE("a speck has no shape", "[evaluate]") {
  Blob speck;
  speck.pixels = {{3, 3}, {4, 3}};
  CHECK_FALSE(OutlineReader()({speck}).has_value());
}

}  // namespace
}  // namespace faststar
