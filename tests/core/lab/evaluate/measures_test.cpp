#include "core/lab/evaluate/measures.h"

#include <ATen/ATen.h>

#include "core/lab/world/clip_renderer.h"
#include "core/lab/world/world.h"
#include "support/support.h"

namespace faststar {
namespace {

ClipBatch red_ball(at::Device device) {
  const ClipRecord record{.pattern = Pattern::plain,
                          .background = BackgroundColour::blue,
                          .objects = {SceneObject{.motion = Motion::still, .x = .9, .y = .5}}};
  return ClipRenderer(device)(records_to_tensor({&record, 1}).to(device), full_window(1, 9, device));
}

TEST_CASE("an error that is the same everywhere is as large on objects", "[evaluate]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const ClipBatch clip = red_ball(device);
  ClipFidelitySum sum;
  sum.add(clip, clip.pixels[0] + at::where(clip.pixels[0] > 0, -20 / 127.5, 20 / 127.5));
  const double expected = 20 * std::log10(255. / 20);
  CHECK(sum.mean().psnr == Approx(expected).margin(.3));  // levels are whole
  CHECK(sum.mean().object_psnr == Approx(expected).margin(.3));
  REQUIRE(sum.frame_psnr().size() == 9);
  CHECK(sum.frame_psnr()[4] == Approx(expected).margin(.3));
}

TEST_CASE("what happens beside an object is not its error", "[evaluate]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const ClipBatch clip = red_ball(device);
  ClipFidelitySum sum;
  sum.add(clip, at::where(clip.coverage[0] > 0, clip.pixels[0], -clip.pixels[0]));
  CHECK(sum.mean().psnr < 10);
  CHECK(sum.mean().object_psnr == std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace faststar
