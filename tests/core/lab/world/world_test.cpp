#include "core/lab/world/world.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/lab/world/clip_renderer.h"
#include "support/support.h"

namespace faststar {
namespace {

std::vector<ClipRecord> draw_scenes(const WorldSettings& settings, int count) {
  const World world(settings);
  std::vector<ClipRecord> records;
  for (int i = 0; i < count; ++i) records.push_back(world.draw(held_out_seed(7), i));
  return records;
}

double share_of(const std::vector<ClipRecord>& records, bool (*holds)(const ClipRecord&)) {
  return static_cast<double>(std::ranges::count_if(records, holds)) / static_cast<double>(records.size());
}

TEST_CASE("a scene can be drawn again, and another index or seed gives another", "[world]") {
  const World world({});
  const auto row = [&](uint64_t seed, int64_t index) {
    const ClipRecord record = world.draw(seed, index);
    return records_to_tensor({&record, 1});
  };
  CHECK(test::same(row(training_seed(3), 5), row(training_seed(3), 5)));
  CHECK_FALSE(test::same(row(training_seed(3), 5), row(training_seed(3), 6)));
  CHECK_FALSE(test::same(row(training_seed(3), 5), row(training_seed(4), 5)));
  CHECK_FALSE(test::same(row(training_seed(3), 5), row(held_out_seed(3), 5)));
}

TEST_CASE("no two colours of a scene have the same word", "[world]") {
  for (const ClipRecord& record : draw_scenes({.two_objects = 1}, 500)) {
    REQUIRE(record.objects.size() == 2);
    const auto first = choice_name(record.objects[0].colour), second = choice_name(record.objects[1].colour);
    CHECK(first != second);
    CHECK(first != choice_name(record.background));
    CHECK(second != choice_name(record.background));
  }
}

TEST_CASE("a second object comes in the share of clips that is asked for", "[world]") {
  const auto pair = [](const ClipRecord& record) { return record.objects.size() == 2; };
  CHECK(share_of(draw_scenes({.two_objects = .3}, 2000), pair) == Approx(.3).margin(.04));
}

TEST_CASE("emphasis makes hard objects that much more frequent against the others, and its square the hardest",
          "[world]") {
  using Kind = bool (*)(const ClipRecord&);
  const Kind hard = [](const ClipRecord& record) {
    return record.objects[0].motion == Motion::spin && record.objects[0].shape != Shape::heart;
  };
  const Kind hardest = [](const ClipRecord& record) {
    return record.objects[0].motion == Motion::spin && record.objects[0].shape == Shape::heart;
  };
  const Kind easy = [](const ClipRecord& record) { return record.objects[0].motion == Motion::circle; };
  const auto odds = [&](Kind kind, double emphasis) {
    const auto records = draw_scenes({.two_objects = 0, .emphasis = emphasis}, 10000);
    return share_of(records, kind) / share_of(records, easy);
  };
  CHECK(odds(hard, 3) / odds(hard, 1) == Approx(3).margin(.7));
  CHECK(odds(hardest, 3) / odds(hardest, 1) == Approx(9).margin(2.7));
}

TEST_CASE("the camera pans in the share of clips that is asked for, over one object and where it shows", "[world]") {
  const auto panned = [](const ClipRecord& record) { return record.camera != Camera::still; };
  const auto records = draw_scenes({.two_objects = .5, .camera_pan = .2}, 2000);
  CHECK(share_of(records, panned) == Approx(.2).margin(.03));
  for (const ClipRecord& record : records) {
    if (!panned(record)) continue;
    CHECK(record.objects.size() == 1);
    CHECK(record.pattern != Pattern::plain);
    CHECK(record.pattern != Pattern::gradient);
  }
}

TEST_CASE("a world with pans has the other clips of the world without", "[world]") {
  const World still({}), panning({.camera_pan = .5});
  int same = 0;
  for (int i = 0; i < 40; ++i) {
    const ClipRecord record = panning.draw(held_out_seed(7), i), other = still.draw(held_out_seed(7), i);
    if (record.camera != Camera::still) continue;
    ++same;
    CHECK(test::same(records_to_tensor({&record, 1}), records_to_tensor({&other, 1})));
  }
  CHECK(same > 5);
}

TEST_CASE("no object touches the edge of the frame in four seconds", "[world]") {
  const auto [two_objects, camera_pan] = GENERATE(table<double, double>({{0, 0}, {1, 0}, {0, 1}}));
  const auto records = draw_scenes({.two_objects = two_objects, .camera_pan = camera_pan}, 30);
  const auto count = static_cast<int64_t>(records.size());
  const ClipRenderer render(at::kCPU);
  FrameWindow edge = full_window(count, 65, at::kCPU);
  const auto covered = [&](int64_t height, int64_t width, int64_t top, int64_t left) {
    edge.height = height;
    edge.width = width;
    edge.top = at::full({count}, top, at::kLong);
    edge.left = at::full({count}, left, at::kLong);
    return render(records_to_tensor(records), edge).coverage.max().item<float>();
  };
  CHECK(covered(1, kWorldWidth, 0, 0) == 0);
  CHECK(covered(1, kWorldWidth, kWorldHeight - 1, 0) == 0);
  CHECK(covered(kWorldHeight, 1, 0, 0) == 0);
  CHECK(covered(kWorldHeight, 1, 0, kWorldWidth - 1) == 0);
  if (two_objects == 1) CHECK(covered(kWorldHeight, 1, 0, kWorldWidth / 2) == 0);
}

}  // namespace
}  // namespace faststar
