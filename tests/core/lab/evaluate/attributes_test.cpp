#include "core/lab/evaluate/attributes.h"

#include <ATen/ATen.h>

#include "core/lab/evaluate/measures.h"
#include "support/support.h"

namespace faststar {
namespace {

const AttributeChecker& checker() {
  static const AttributeChecker checker;
  return checker;
}

TEST_CASE("the checker reads rendered clips and is not fooled by other captions", "[evaluate]") {
  const auto [two_objects, camera_pan] = GENERATE(table<double, double>({{0, 0}, {1, 0}, {0, 1}}));
  const auto part = GENERATE(ClipPart::first_second, ClipPart::first_half, ClipPart::second_half);
  const HeldOutClips clips(at::kCPU, {.two_objects = two_objects, .camera_pan = camera_pan}, HeldOutSet::checker);
  const CheckerValidation rates = validate_checker(checker(), clips, 25, part);
  for (const AttributeMiss& miss : rates.truth.misses) UNSCOPED_INFO(miss.asked << " / " << miss.seen);
  CHECK(rates.truth.all >= .98);
  CHECK(rates.truth.steady == 1);
  CHECK(rates.shuffled.all <= .05);
  CHECK(rates.shuffled.background <= .2);
  CHECK(rates.shuffled.colour <= .4);
}

TEST_CASE("the checker reads clips through blur and noise", "[evaluate]") {
  const HeldOutClips clips(at::kCPU, {.two_objects = 0, .camera_pan = .5}, HeldOutSet::checker);
  AttributeTally tally;
  for (int64_t i = 0; i < 12; ++i) {
    const Tensor frames = clips.stills(clips.record(i), at::arange(9, at::kLong) * 4).transpose(0, 1);
    const Tensor blurred = at::avg_pool2d(at::replication_pad2d(frames, {2, 2, 2, 2}), {5, 5}, {1, 1});
    const Tensor noisy = blurred + test::seeded_randn(blurred.sizes(), static_cast<uint64_t>(i)) * .06;
    tally.add(checker()(noisy.transpose(0, 1)), clips.record(i), clips.prompt(i));
  }
  CHECK(tally.rates().all >= .9);
}

TEST_CASE("a clip without an object has none", "[evaluate]") {
  const HeldOutClips clips(at::kCPU, {}, HeldOutSet::checker);
  ClipRecord record = clips.record(0);
  record.objects.clear();
  const SeenScene seen = checker()(clips.stills(record, at::arange(9, at::kLong)));
  CHECK(seen.count == 0);
  CHECK(seen.objects.empty());
  CHECK(seen.background == record.background);
  CHECK(seen.pattern == record.pattern);
}

TEST_CASE("scores tell each attribute by itself", "[evaluate]") {
  const ClipRecord asked{.pattern = Pattern::dots,
                         .background = BackgroundColour::pink,
                         .objects = {{.shape = Shape::star, .colour = ObjectColour::blue, .motion = Motion::up}}};
  SeenScene seen{.pattern = Pattern::dots,
                 .background = BackgroundColour::pink,
                 .count = 1,
                 .steady = true,
                 .objects = {{.colour = ObjectColour::blue, .shape = Shape::star, .motion = Motion::up}}};
  CHECK(score_attributes(seen, asked).all());
  seen.objects[0].motion.reset();
  CHECK_FALSE(score_attributes(seen, asked).motion);
  CHECK(score_attributes(seen, asked).shape);
  CHECK_FALSE(score_attributes(seen, asked).all());
  seen.pattern = Pattern::plain;
  CHECK_FALSE(score_attributes(seen, asked).background);
  CHECK(score_attributes(seen, asked).camera);
  seen.camera = Camera::pan_left;
  CHECK_FALSE(score_attributes(seen, asked).camera);
}

TEST_CASE("of two objects both must be right, at their places", "[evaluate]") {
  const SceneObject star{.shape = Shape::star, .colour = ObjectColour::blue, .motion = Motion::up};
  const SceneObject ball{.shape = Shape::ball, .colour = ObjectColour::red, .motion = Motion::spin};
  const SeenObject seen_star{.colour = ObjectColour::blue, .shape = Shape::star, .motion = Motion::up};
  const SeenObject seen_ball{.colour = ObjectColour::red, .shape = Shape::ball, .motion = Motion::spin};
  const ClipRecord asked{.objects = {star, ball}};
  CHECK(score_attributes({.count = 2, .objects = {seen_star, seen_ball}}, asked).all());
  CHECK_FALSE(score_attributes({.count = 2, .objects = {seen_ball, seen_star}}, asked).shape);
  CHECK_FALSE(score_attributes({.count = 3, .objects = {seen_star, seen_ball}}, asked).colour);
  CHECK(score_attributes({.count = 2, .objects = {seen_star, seen_ball}}, {.objects = {ball}}).colour);
}

}  // namespace
}  // namespace faststar
