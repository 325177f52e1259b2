#include "core/world/clip_renderer.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

ClipRecord red_ball(Motion motion) {
  return {.pattern = Pattern::plain,
          .background = BackgroundColour::blue,
          .objects = {{.shape = Shape::ball, .colour = ObjectColour::red, .motion = motion, .x = .9, .y = .5}}};
}

ClipBatch rendered(const ClipRecord& record, int64_t frames, at::Device device) {
  return ClipRenderer(device)(records_to_tensor({&record, 1}).to(device), full_window(1, frames, device));
}

Tensor pixel(const Tensor& clip, int64_t frame, int64_t y, int64_t x) {
  return clip.index({0, at::indexing::Slice(), frame, y, x});
}

/// Centre of what is covered in every frame, [F] each, in frame heights.
struct Track {
  Tensor x, y, area;
};

Track track_of(const Tensor& coverage) {
  const Tensor frames = coverage[0][0];  // [F, H, W]
  const Tensor area = frames.sum({1, 2});
  const Tensor x = (frames.sum(1) * at::arange(kWorldWidth)).sum(1) / area / double{kWorldHeight};
  const Tensor y = (frames.sum(2) * at::arange(kWorldHeight)).sum(1) / area / double{kWorldHeight};
  return {x, y, area};
}

TEST_CASE("a red ball on a blue background is red where it is and blue elsewhere", "[world]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const ClipBatch clip = rendered(red_ball(Motion::still), 2, device);
  CHECK(clip.pixels.sizes() == at::IntArrayRef({1, 3, 2, kWorldHeight, kWorldWidth}));
  CHECK(clip.coverage.sizes() == at::IntArrayRef({1, 1, 2, kWorldHeight, kWorldWidth}));
  const Tensor on = pixel(clip.pixels, 1, 100, 175), off = pixel(clip.pixels, 1, 10, 10);
  CHECK(on[0].item<float>() > .6);
  CHECK(on[2].item<float>() < -.2);
  CHECK(test::relative_error(off.cpu(), at::tensor({.62, .78, .97}).to(at::kFloat) * 2 - 1) < 1e-5);
  CHECK(pixel(clip.coverage, 1, 100, 175).item<float>() == 1);
  CHECK(pixel(clip.coverage, 1, 10, 10).item<float>() == 0);
  CHECK(clip.pixels.abs().max().item<float>() <= 1);
}

TEST_CASE("objects move as their motion says, in both halves of four seconds", "[world]") {
  const auto at_frame = [](const Tensor& track, int64_t frame) { return track[frame].item<double>(); };
  const auto motion_of = [&](Motion motion) { return track_of(rendered(red_ball(motion), 65, at::kCPU).coverage); };
  const auto left = motion_of(Motion::left);
  CHECK(at_frame(left.x, 32) < at_frame(left.x, 0) - .3);
  CHECK(at_frame(left.x, 64) < at_frame(left.x, 32) - .15);
  const auto down = motion_of(Motion::down);
  CHECK(at_frame(down.y, 32) > at_frame(down.y, 0) + .15);
  CHECK(at_frame(down.y, 64) > at_frame(down.y, 32) + .08);
  const auto growing = motion_of(Motion::grow);
  CHECK(at_frame(growing.area, 32) > 3 * at_frame(growing.area, 0));
  CHECK(at_frame(growing.area, 64) > 1.4 * at_frame(growing.area, 32));
  for (const int64_t start : {0, 32}) {
    const auto hop = motion_of(Motion::bounce), circle = motion_of(Motion::circle);
    CHECK(at_frame(hop.y, start + 8) < at_frame(hop.y, start) - .3);
    CHECK(at_frame(hop.y, start + 16) == Approx(at_frame(hop.y, start)).margin(.01));
    CHECK(at_frame(circle.x, start + 16) < at_frame(circle.x, start) - .3);
    CHECK(at_frame(circle.x, start + 32) == Approx(at_frame(circle.x, start)).margin(.01));
  }
}

TEST_CASE("a long clip begins with the short one", "[world]") {
  const ClipRecord record = red_ball(Motion::down_left);
  CHECK(test::same(rendered(record, 33, at::kCPU).pixels, rendered(record, 65, at::kCPU).pixels.narrow(2, 0, 33)));
}

TEST_CASE("a window shows its part of the clip", "[world]") {
  const std::vector<ClipRecord> records = {red_ball(Motion::circle), red_ball(Motion::right)};
  const Tensor rows = records_to_tensor(records);
  const ClipRenderer render(at::kCPU);
  const ClipBatch whole = render(rows, full_window(2, 12, at::kCPU));
  const FrameWindow window{.frames = 5,
                           .height = 64,
                           .width = 80,
                           .first_frame = at::tensor({2, 7}, at::kLong),
                           .top = at::tensor({30, 90}, at::kLong),
                           .left = at::tensor({100, 200}, at::kLong)};
  const ClipBatch part = render(rows, window);
  const auto cut = [](const Tensor& clips, int64_t clip, int64_t frame, int64_t top, int64_t left) {
    return clips[clip].narrow(1, frame, 5).narrow(2, top, 64).narrow(3, left, 80);
  };
  CHECK(at::allclose(part.pixels[0], cut(whole.pixels, 0, 2, 30, 100), 0, 1e-4));
  CHECK(at::allclose(part.pixels[1], cut(whole.pixels, 1, 7, 90, 200), 0, 1e-4));
  CHECK(at::allclose(part.coverage[1], cut(whole.coverage, 1, 7, 90, 200), 0, 1e-4));
}

TEST_CASE("crops lie in the frame, and near the object when asked to", "[world]") {
  const std::vector<ClipRecord> records(64, red_ball(Motion::left));
  const Tensor rows = records_to_tensor(records);
  const Tensor uniform = at::rand({64, 4}, at::make_generator<at::CPUGeneratorImpl>(1));
  const ClipRenderer render(at::kCPU);
  for (const double near_object : {0.0, 1.0}) {
    const FrameWindow window = crop_window(rows, 9, 128, 224, near_object, uniform);
    CHECK(window.top.min().item<int64_t>() >= 0);
    CHECK(window.top.max().item<int64_t>() <= kWorldHeight - 128);
    CHECK(window.left.min().item<int64_t>() >= 0);
    CHECK(window.left.max().item<int64_t>() <= kWorldWidth - 224);
    const Tensor seen = render(rows, window).coverage.flatten(1).sum(1) > 0;
    if (near_object == 1) CHECK(seen.all().item<bool>());
  }
}

TEST_CASE("CPU and GPU draw the same", "[world]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  std::vector<ClipRecord> records = {red_ball(Motion::left)};
  records[0].objects[0].motion = Motion::spin;
  records[0].objects[0].shape = Shape::star;
  const Tensor rows = records_to_tensor(records);
  const Tensor cpu = ClipRenderer(at::kCPU)(rows, full_window(1, 9, at::kCPU)).pixels;
  const Tensor there = ClipRenderer(device)(rows.to(device), full_window(1, 9, device)).pixels.cpu();
  CHECK((cpu - there).abs().max().item<float>() < 1e-3);
}

}  // namespace
}  // namespace faststar
