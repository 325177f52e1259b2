#include "core/model/star/guidance_reuse.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <map>

#include "core/base/weights/weights.h"
#include "core/model/star/generator.h"
#include "core/model/star/small_model.h"
#include "core/model/star/test_observer.h"
#include "support/support.h"

namespace faststar {
namespace {

GuidanceSettings reuse_of(GuidanceReuse passes, int last = 2) {
  return {.method = GuidanceMethod::cfg, .scale = 3, .reuse = {.passes = passes, .scales = {.last = last}}};
}

/// Three scales a clip: a picture, then two video clips.
Schedule three_clips() {
  return Schedule({{1, 1, 1}, {1, 2, 3}, {1, 4, 5}, {2, 1, 1}, {2, 2, 3}, {2, 4, 5}, {2, 1, 1}, {2, 2, 3}, {2, 4, 5}});
}

/// Rows of each step, two repetitions of every scale.
std::vector<int64_t> rows_by_step(const GuidanceSettings& settings, const Schedule& schedule) {
  const GuidanceRows rows(settings, schedule);
  std::vector<int64_t> all;
  const std::vector<int> twice(static_cast<size_t>(schedule.scales_per_clip()), 2);
  for (const Step& step : schedule.steps({twice, twice})) all.push_back(rows.of(step));
  return all;
}

TEST_CASE("guidance reuse leaves the second row out of the passes it is asked for", "[star][reuse]") {
  const Schedule schedule = three_clips();
  CHECK(rows_by_step(reuse_of(GuidanceReuse::none), schedule) == std::vector<int64_t>(18, 2));
  CHECK(rows_by_step(reuse_of(GuidanceReuse::repetitions), schedule) ==
        std::vector<int64_t>{2, 2, 2, 2, 2, 2, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1});
  CHECK(rows_by_step(reuse_of(GuidanceReuse::late), schedule) ==
        std::vector<int64_t>{2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1});
  CHECK(rows_by_step(reuse_of(GuidanceReuse::full, 1), schedule) ==
        std::vector<int64_t>{2, 2, 2, 2, 2, 2, 2, 1, 2, 1, 1, 1, 2, 1, 2, 1, 1, 1});
  GuidanceSettings off = reuse_of(GuidanceReuse::full);
  off.scale = 1;
  CHECK(rows_by_step(off, schedule) == std::vector<int64_t>(18, 1));
  // More scales than a clip has: those of the image clip too.
  CHECK(rows_by_step(reuse_of(GuidanceReuse::late, 4), schedule) ==
        std::vector<int64_t>{2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  const Error error = test::error_of([&] { GuidanceRows(reuse_of(GuidanceReuse::late, 7), schedule); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()) == "guidance_reuse_scales: expected at most last3 (the scales of a clip), got last7");
}

TEST_CASE("the first clip of a continuation is a video clip", "[star][reuse]") {
  const Schedule schedule({{2, 1, 1}, {2, 2, 3}}, FirstClip::continuation);
  CHECK(rows_by_step(reuse_of(GuidanceReuse::late, 1), schedule) == std::vector<int64_t>{2, 2, 1, 1});
}

TEST_CASE("carried guidance is interpolated over rows and columns", "[star][reuse]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto column = [&](std::vector<float> values) { return at::tensor(values).unsqueeze(1).to(device); };
  CarriedGuidance carried;
  CHECK_FALSE(carried.at(0, {1, 1, 2}, 1, {}).defined());
  carried.keep(1, {2, 1, 2}, column({0, 4, 8, 8}), {});
  CHECK(test::same(carried.at(1, {2, 1, 2}, 1, {}), column({0, 4, 8, 8})));
  // Half-pixel centres, edges repeated; frames do not mix.
  CHECK(test::same(carried.at(1, {2, 1, 4}, 1, {}), column({0, 1, 3, 4, 8, 8, 8, 8})));
  CHECK(test::same(carried.at(1, {2, 1, 4}, 1, at::tensor({2, 4}, at::kLong).to(device)), column({3, 8})));
  CHECK_FALSE(carried.at(2, {2, 1, 2}, 1, {}).defined());  // another clip
  CHECK_FALSE(carried.at(1, {2, 1, 2}, 4, {}).defined());  // another head
}

TEST_CASE("a pruned pass renews the guidance of its own tokens", "[star][reuse]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto column = [&](std::vector<float> values) { return at::tensor(values).unsqueeze(1).to(device); };
  CarriedGuidance carried;
  carried.keep(1, {1, 1, 2}, column({0, 4}), {});
  carried.keep(1, {1, 1, 4}, column({7, 9}), at::tensor({0, 3}, at::kLong).to(device));
  CHECK(test::same(carried.at(1, {1, 1, 4}, 1, {}), column({7, 1, 3, 9})));
  carried.keep(2, {1, 1, 3}, column({5}), at::tensor({1}, at::kLong).to(device));
  CHECK(test::same(carried.at(2, {1, 1, 3}, 1, {}), column({0, 5, 0})));
}

/// A two-layer model over two video clips of two frames.
struct ReuseFixture {
  explicit ReuseFixture(at::Device device)
      : model({make_random_weights(1), device, at::kFloat}, test::kSmallModel),
        schedule(make_schedule(0.562, "0.06M", 5, 2)) {
    settings.repetitions = {std::vector<int>(11, 1), std::vector<int>(11, 2)};
    settings.semantic_scales = 8;
    settings.seed = 5;
    settings.guidance = reuse_of(GuidanceReuse::none, 4);
    text.cond = test::seeded_randn({6, test::kSmallModel.text_width}, 2, device);
  }

  Tensor run(GenerationObserver* observer = nullptr) {
    return generate(model, schedule, settings, {.text = text}, observer);
  }

  c10::InferenceMode inference;
  StarTransformer model;
  Schedule schedule;
  GenerationSettings settings;
  TextFeatures text;
};

TEST_CASE("passes run the rows that guidance reuse says", "[star][reuse]") {
  ReuseFixture fixture(GENERATE(from_range(test::test_devices())));
  fixture.settings.guidance.reuse.passes =
      GENERATE(GuidanceReuse::none, GuidanceReuse::repetitions, GuidanceReuse::late, GuidanceReuse::full);
  if (GENERATE(false, true)) fixture.text.uncond = test::seeded_randn({9, test::kSmallModel.text_width}, 3);
  fixture.settings.reduction.method = GENERATE(ReductionMethod::none, ReductionMethod::tome);
  const GuidanceRows rows(fixture.settings.guidance, fixture.schedule);
  test::TestObserver observer;
  observer.bits = [&](const StepResult& result) {
    CHECK(result.logits.size(0) == rows.of(result.step));
    return result.bits;
  };
  fixture.run(&observer);
}

TEST_CASE("where the two rows are alike, leaving one out changes nothing", "[star][reuse]") {
  ReuseFixture fixture(GENERATE(from_range(test::test_devices())));
  fixture.text.uncond = fixture.text.cond;
  fixture.settings.sampling = Sampling::greedy;
  fixture.settings.reduction.method =
      GENERATE(ReductionMethod::none, ReductionMethod::faststar, ReductionMethod::fastvar, ReductionMethod::sparsevar,
               ReductionMethod::stepvar, ReductionMethod::random);  // ToMe's matches may be near ties
  fixture.settings.reduction.ratios = {0.3};
  const Tensor both = fixture.run();
  fixture.settings.guidance.reuse.passes =
      GENERATE(GuidanceReuse::repetitions, GuidanceReuse::late, GuidanceReuse::full);
  // Sums over a batch of one may round otherwise than over a batch of two, and turn bits that are near ties.
  const Tensor changed = (fixture.run() - both).abs().gt(1e-3 * both.abs().amax());
  CHECK(changed.to(at::kFloat).mean().item<double>() < 0.02);
}

TEST_CASE("a pass of one row adds what guidance added before, or nothing", "[star][reuse]") {
  ReuseFixture fixture(GENERATE(from_range(test::test_devices())));
  fixture.settings.sampling = Sampling::greedy;
  fixture.settings.guidance.reuse.passes = GuidanceReuse::repetitions;
  const double weight = GENERATE(0.0, 0.5, 1.0);
  fixture.settings.guidance.reuse.weight = weight;
  Tensor added;
  test::TestObserver observer;
  observer.bits = [&](const StepResult& result) {
    const Tensor logits = result.logits / fixture.settings.tau_video;
    if (result.logits.size(0) == 2) {
      added = guide(logits[0], logits[1], fixture.settings.guidance) - logits[0];
      return result.bits;
    }
    const Tensor pairs = (logits[0] + weight * added).unflatten(1, {-1, 2});
    const Tensor expected = pairs.select(2, 1).gt(pairs.select(2, 0)).to(at::kByte);
    CHECK(test::same(result.bits.flatten(0, 3), expected));
    return result.bits;
  };
  fixture.run(&observer);
}

}  // namespace
}  // namespace faststar
