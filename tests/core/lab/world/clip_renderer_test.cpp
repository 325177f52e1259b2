#include "core/lab/world/clip_renderer.h"

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

/// Centre and area of what is covered, in frame heights.
struct Place {
  double x, y, area;
};

/// Where the ball is in `frame` when it moves so.
Place place_of(Motion motion, int64_t frame) {
  const ClipRecord record = red_ball(motion);
  FrameWindow window = full_window(1, 1, at::kCPU);
  window.first_frame = at::tensor({frame}, at::kLong);
  static const ClipRenderer render(at::kCPU);
  const Tensor covered = render(records_to_tensor({&record, 1}), window).coverage[0][0][0];  // [H, W]
  const double height = kWorldHeight;
  const auto centre = [&](const Tensor& profile) {
    return (profile * at::arange(profile.size(0))).sum().item<double>() / covered.sum().item<double>() / height;
  };
  return {centre(covered.sum(0)), centre(covered.sum(1)), covered.sum().item<double>() / (height * height)};
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
  CHECK(place_of(Motion::left, 32).x < place_of(Motion::left, 0).x - .3);
  CHECK(place_of(Motion::left, 64).x < place_of(Motion::left, 32).x - .15);
  CHECK(place_of(Motion::down, 32).y > place_of(Motion::down, 0).y + .15);
  CHECK(place_of(Motion::down, 64).y > place_of(Motion::down, 32).y + .08);
  CHECK(place_of(Motion::grow, 32).area > 3 * place_of(Motion::grow, 0).area);
  CHECK(place_of(Motion::grow, 64).area > 1.4 * place_of(Motion::grow, 32).area);
  for (const int64_t start : {0, 32}) {
    CHECK(place_of(Motion::bounce, start + 8).y < place_of(Motion::bounce, start).y - .25);
    CHECK(place_of(Motion::bounce, start + 16).y == Approx(place_of(Motion::bounce, start).y).margin(.01));
    CHECK(place_of(Motion::circle, start + 16).x < place_of(Motion::circle, start).x - .3);
    CHECK(place_of(Motion::circle, start + 32).x == Approx(place_of(Motion::circle, start).x).margin(.01));
  }
}

TEST_CASE("a pan moves all that rests the other way, evenly and for any time", "[world]") {
  const auto [camera, right] = GENERATE(table<Camera, int64_t>({{Camera::pan_left, 2}, {Camera::pan_right, -2}}));
  for (size_t i = static_cast<size_t>(Pattern::stripes); i < kChoiceNames<Pattern>.size(); ++i) {
    ClipRecord record = red_ball(Motion::still);
    record.pattern = static_cast<Pattern>(i);
    record.camera = camera;
    const ClipBatch clip = rendered(record, 65, at::kCPU);
    const auto columns = [&](int64_t frame, int64_t first) {
      return clip.pixels.select(2, frame).narrow(3, first, 100);
    };
    INFO(choice_name(record.pattern));
    for (const int64_t frame : {1, 32, 64}) {
      CHECK(at::allclose(columns(frame, 130 + right * (frame - 32)), columns(32, 130), 0, 1e-3));
    }
    CHECK_FALSE(at::allclose(columns(1, 130), columns(32, 130), 0, 1e-1));
  }
}

TEST_CASE("a window shows its part of the clip", "[world]") {
  const std::vector<ClipRecord> records = {red_ball(Motion::circle), red_ball(Motion::right)};
  const Tensor rows = records_to_tensor(records);
  const ClipRenderer render(at::kCPU);
  const ClipBatch whole = render(rows, full_window(2, 6, at::kCPU));
  const FrameWindow window{.frames = 3,
                           .height = 64,
                           .width = 80,
                           .first_frame = at::tensor({1, 3}, at::kLong),
                           .top = at::tensor({30, 90}, at::kLong),
                           .left = at::tensor({100, 200}, at::kLong)};
  const ClipBatch part = render(rows, window);
  const auto cut = [](const Tensor& clips, int64_t clip, int64_t frame, int64_t top, int64_t left) {
    return clips[clip].narrow(1, frame, 3).narrow(2, top, 64).narrow(3, left, 80);
  };
  CHECK(at::allclose(part.pixels[0], cut(whole.pixels, 0, 1, 30, 100), 0, 1e-4));
  CHECK(at::allclose(part.pixels[1], cut(whole.pixels, 1, 3, 90, 200), 0, 1e-4));
  CHECK(at::allclose(part.coverage[1], cut(whole.coverage, 1, 3, 90, 200), 0, 1e-4));
}

TEST_CASE("crops lie in the frame, and near the object when asked to", "[world]") {
  const std::vector<ClipRecord> records(16, red_ball(Motion::left));
  const Tensor rows = records_to_tensor(records);
  const Tensor uniform = at::rand({16, 4}, at::make_generator<at::CPUGeneratorImpl>(1));
  const ClipRenderer render(at::kCPU);
  for (const double near_object : {0.0, 1.0}) {
    const FrameWindow window = crop_window(rows, 2, 128, 224, near_object, uniform);
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
  const Tensor cpu = ClipRenderer(at::kCPU)(rows, full_window(1, 4, at::kCPU)).pixels;
  const Tensor there = ClipRenderer(device)(rows.to(device), full_window(1, 4, device)).pixels.cpu();
  CHECK((cpu - there).abs().max().item<float>() < 1e-3);
}

}  // namespace
}  // namespace faststar
