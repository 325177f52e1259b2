#include "core/model/reduce/reduction.h"

#include <ATen/ATen.h>

#include "core/model/pyramid/codes.h"
#include "core/model/reduce/small_run.h"
#include "core/model/star/rope.h"

namespace faststar {
namespace {

using test::record;
using test::RecordedRun;
using test::RecordedStep;
using test::SmallRun;

/// Every method that prunes before the backbone.
const auto kPruningMethods = {ReductionMethod::faststar, ReductionMethod::random};
const auto kAllMethods = {ReductionMethod::faststar, ReductionMethod::fastvar, ReductionMethod::sparsevar,
                          ReductionMethod::tome,     ReductionMethod::stepvar, ReductionMethod::random,
                          ReductionMethod::skip};

TEST_CASE("a ratio of zero is a run without reduction, bit for bit", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  const Tensor dense = record(run).summed;
  run.settings.reduction.method = GENERATE(values(kAllMethods));
  run.settings.reduction.ratios = {0};
  CHECK(test::same(record(run).summed, dense));
}

TEST_CASE("keeping every token through the gather is a run without reduction, bit for bit", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  const Tensor dense = record(run).summed;
  run.settings.reduction.method = GENERATE(values(kPruningMethods));
  run.settings.reduction.ratios = {0.0001};  // less than a token of any scale
  const RecordedRun reduced = record(run);
  CHECK(reduced.reduced.size() == 3 * (2 + 1 + 1));
  CHECK(test::same(reduced.summed, dense));
}

TEST_CASE("methods that restore pruned tokens are dense runs when they prune nothing", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  const Tensor dense = record(run).summed;
  ReductionSettings& reduction = run.settings.reduction;
  reduction.method = GENERATE(ReductionMethod::fastvar, ReductionMethod::sparsevar, ReductionMethod::stepvar);
  reduction.ratios = {0.0001};
  CHECK(test::same(record(run).summed, dense));
}

TEST_CASE("every method gives the same codes again, and others than a dense run", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  const Tensor dense = record(run).summed;
  ReductionSettings& reduction = run.settings.reduction;
  reduction.method = GENERATE(values(kAllMethods));
  const Tensor reduced = record(run).summed;
  CHECK(reduced.isfinite().all().item<bool>());
  CHECK(test::same(reduced, record(run).summed));
  CHECK_FALSE(test::same(reduced, dense));
  // Clips before a reduced one are untouched.
  CHECK(test::same(reduced.narrow(2, 0, 1), dense.narrow(2, 0, 1)));
}

TEST_CASE("passes before the first reduced one are those of a dense run", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  const std::vector<Tensor> dense = record(run).bits;
  run.settings.reduction.method = GENERATE(values(kPruningMethods));
  const std::vector<Tensor> reduced = record(run).bits;
  const int first = 4 + 1;  // image clip, coarsest scale of the first video clip
  for (int step = 0; step < first; ++step) CHECK(test::same(reduced[step], dense[step]));
  CHECK_FALSE(test::same(reduced[first], dense[first]));
}

TEST_CASE("a partial update leaves pruned positions as they are", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  run.settings.reduction.method = GENERATE(values(kPruningMethods));
  const ReductionGate gate(run.settings.reduction, run.schedule, run.settings.repetitions);
  for (const RecordedStep& reduced : record(run).reduced) {
    const Tensor pruned = reduced.plan.feature_mask.eq(0).expand_as(reduced.input);
    CHECK(test::same(reduced.output.masked_select(pruned), reduced.input.masked_select(pruned)));
    CHECK(reduced.plan.kept.size(0) == gate.kept_tokens(reduced.step));
    CHECK(reduced.plan.kept.diff().gt(0).all().item<bool>());
    CHECK(test::same(reduced.plan.token_mask.flatten().nonzero().squeeze(1), reduced.plan.kept));
  }
}

TEST_CASE("the same seed prunes the same tokens, another seed others", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  run.settings.reduction.method = ReductionMethod::random;
  const RecordedRun first = record(run);
  CHECK(test::same(first.summed, record(run).summed));
  run.settings.seed = 6;
  CHECK_FALSE(test::same(first.reduced[0].plan.kept, record(run).reduced[0].plan.kept));
}

TEST_CASE("marked positions are as many as the gate says at the feature map's size", "[reduce]") {
  SmallRun run(at::kCPU);
  run.settings.reduction.method = ReductionMethod::faststar;
  const RecordedStep reduced = record(run).reduced.front();  // scale 5: 2 x 2 x 3 tokens, 2 x 6 x 10 positions
  CHECK(reduced.plan.feature_mask.sum().item<int64_t>() == 120 - 24);
  CHECK(reduced.plan.token_mask.sum().item<int64_t>() == 12 - 2);
}

/// The maps that a run's first video clip compares with, by scale and repetition.
SimilarityMaps maps_of(const RecordedRun& run, int scale, int repetition) {
  for (const RecordedStep& reduced : run.reduced) {
    if (reduced.step.scale == scale && reduced.step.repetition == repetition) return reduced.plan.evidence.maps;
  }
  FAIL("no such pass");
  return {};
}

TEST_CASE("the spatial term looks back over the last scale", "[reduce]") {
  SmallRun run(at::kCPU);
  run.settings.reduction.method = ReductionMethod::faststar;
  const RecordedRun by_scale = record(run);
  // Scale 5 repeats: its first pass sees the end of scale 4 against its start, its second against the end.
  const Tensor before_scale_4 = at::zeros({1, 64, 2, 6, 10});
  CHECK(test::same(maps_of(by_scale, 5, 0).previous, before_scale_4));
  CHECK(test::same(maps_of(by_scale, 5, 1).previous, maps_of(by_scale, 5, 0).current));
  CHECK(test::same(maps_of(by_scale, 6, 0).previous, maps_of(by_scale, 5, 0).current));
}

TEST_CASE("the temporal term looks at the image clip, then at the same pass of the clip before", "[reduce]") {
  SmallRun run(at::kCPU);
  run.settings.reduction.method = ReductionMethod::faststar;
  const RecordedRun same_pass = record(run);
  CHECK(test::same(maps_of(same_pass, 6, 0).reference, same_pass.summed.narrow(2, 0, 1)));
  CHECK(test::same(maps_of(same_pass, 10, 0).reference, maps_of(same_pass, 6, 0).current));
  CHECK(maps_of(same_pass, 14, 0).reference.size(2) == 2);  // the last clip has one frame: the first is compared
}

TEST_CASE("the clip after a pruned one reads the keys and values of the kept tokens, in their order", "[reduce]") {
  SmallRun run(at::kCPU);
  run.settings.reduction.method = ReductionMethod::random;
  std::map<int, Tensor> logits;  // by step
  std::vector<Tensor> after;     // accumulated features of the clip after each pass
  Tensor kept;                   // at the last pass of the first video clip
  test::TestObserver observer;
  observer.bits = [&](const StepResult& result) {
    logits[result.step.index] = result.logits.clone();
    return result.bits;
  };
  observer.step = [&](const Step&, const std::vector<Tensor>& clips) { after.push_back(clips.back().clone()); };
  observer.reduced = [&](const ReducedStep& step) {
    if (step.step.scale == 7) kept = step.plan.kept;
  };
  generate(run.model, run.schedule, run.settings, {.text = run.text}, &observer);
  REQUIRE(kept.size(0) == 120 - 84);

  // The same passes by hand: the image clip's last, the first video clip's last, the second one's first.
  const auto steps = run.schedule.steps(run.settings.repetitions);
  const int64_t head_dim = run.model.architecture().head_dim;
  const auto pass = [&](int index, const Tensor& summed, const KvCache& cache, PassKv* own) {
    const Step& step = steps[index];
    const Scale& scale = run.schedule.scales()[step.scale];
    const FrameRange range = run.schedule.frames_of(step.clip);
    std::vector<int> frames;
    for (int frame = range.begin; frame < range.end; ++frame) frames.push_back(frame);
    Rope rope =
        visual_rope({kVisualScaleStart + step.index, frames, scale, run.schedule.scales().back()}, head_dim, at::kCPU);
    Tensor tokens = tokens_from_map(downsample_accumulated(summed, scale));
    if (step.scale == 7) {
      rope = gather_rope(rope, kept);
      tokens = tokens.index_select(1, kept);
    }
    return run.model.run_blocks(run.model.embed_tokens(tokens, 2), {rope, cache, run.settings.attention}, own);
  };
  PassKv text;
  PassKv image;
  PassKv clip;
  const Rope words = text_rope(6, head_dim, at::kCPU);
  run.model.run_blocks(run.model.embed_text(at::stack({run.text.cond, run.text.uncond})),
                       {words, {}, run.settings.attention}, &text);
  pass(3, after[2], KvCache({text}), &image);
  pass(10, after[9], KvCache({text}, {image}), &clip);
  const Tensor hidden = pass(11, at::zeros_like(after[11]), KvCache({text}, {clip}), nullptr);
  CHECK(test::relative_error(run.model.logits(hidden, Head::semantic), logits.at(11)) < 1e-5);
}

TEST_CASE("a clip of a story is reduced, by what settled since the clip that it goes on from", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  SmallRun run(device);
  std::vector<Scale> scales(run.schedule.scales().begin() + 4, run.schedule.scales().begin() + 8);
  run.schedule = Schedule(scales, FirstClip::continuation);
  run.settings.reduction.method = ReductionMethod::faststar;
  const InteractiveCondition former{.former = test::seeded_randn({1, 64, 2, 6, 10}, 3, device),
                                    .first = test::seeded_randn({1, 64, 1, 6, 10}, 4, device),
                                    .semantic_scale = 1,
                                    .detail_frames = {0, 1}};
  const RecordedRun recorded = record(run, former);
  REQUIRE(recorded.reduced.size() == 3);
  for (const RecordedStep& step : recorded.reduced) {
    CHECK(test::same(step.plan.evidence.maps.reference, former.former));
    CHECK(step.plan.kept.size(0) < scales[static_cast<size_t>(step.step.scale)].tokens());
  }
}

TEST_CASE("every option of FastSTAR changes what is done and nothing breaks", "[reduce]") {
  SmallRun run(GENERATE(from_range(test::test_devices())));
  ReductionSettings& reduction = run.settings.reduction;
  reduction.method = ReductionMethod::faststar;
  const Tensor standard = record(run).summed;
  const std::vector<std::function<void()>> options = {
      [&] { reduction.faststar.scorer = Scorer::spatial; },
      [&] { reduction.faststar.scorer = Scorer::temporal; },
      [&] { reduction.faststar.scorer = Scorer::random; },
      [&] { reduction.faststar.scorer = Scorer::oracle; },
      [&] { reduction.faststar.p = NormDegree::infinity; },
      [&] { reduction.faststar.mask_down = MaskDown::nearest; },
      [&] { reduction.faststar.mask_down = MaskDown::token_topk; },
      [&] { reduction.faststar.pu_mask = UpdateMask::token; },
      [&] { reduction.prune_image_clip = true; },
      [&] { reduction.keep_align = 8; },
      [&] { reduction.apg_stats = ApgStatistics::last_full; },
  };
  const size_t chosen = GENERATE(range(size_t{0}, size_t{11}));
  CAPTURE(chosen);
  REQUIRE(options.size() == 11);
  options[chosen]();
  CHECK_FALSE(test::same(record(run).summed, standard));
}

TEST_CASE("every option of the other methods changes what is done and nothing breaks", "[reduce]") {
  SmallRun run(at::kCPU);
  ReductionSettings& reduction = run.settings.reduction;
  reduction.ratios = {0.2, 0.3, 0.4};  // tome's alternate matching merges half at most
  using Option = std::pair<ReductionMethod, std::function<void()>>;
  const std::vector<Option> options = {
      {ReductionMethod::fastvar,
       [&] {
         reduction.fastvar.layers = {1, 2};
       }},
      {ReductionMethod::sparsevar, [&] { reduction.sparsevar.ratio_mode = RatioMode::dynamic; }},
      {ReductionMethod::tome, [&] { reduction.tome.matching = Matching::alternate; }},
      {ReductionMethod::tome,
       [&] {
         reduction.tome.dst_stride = {1, 2, 2};
       }},
      {ReductionMethod::stepvar, [&] { reduction.stepvar.weight = 9; }},
      {ReductionMethod::stepvar, [&] { reduction.stepvar.normalize = StepVarNormalize::none; }},
  };
  const size_t chosen = GENERATE(range(size_t{0}, size_t{6}));
  CAPTURE(chosen);
  REQUIRE(options.size() == 6);
  reduction.method = options[chosen].first;
  const Tensor standard = record(run).summed;
  options[chosen].second();
  const Tensor changed = record(run).summed;
  CHECK(changed.isfinite().all().item<bool>());
  CHECK_FALSE(test::same(changed, standard));
}

TEST_CASE("a shorter clip's map is compared frame by frame", "[reduce]") {
  SmallRun run(at::kCPU);
  std::vector<Scale> scales;
  for (const int frames : {1, 2, 4}) {
    for (const auto& [h, w] : {std::pair{1, 1}, {2, 3}, {4, 7}, {6, 10}}) scales.push_back({frames, h, w});
  }
  run.schedule = Schedule(std::move(scales));
  run.settings.reduction.method = ReductionMethod::faststar;
  CHECK(maps_of(record(run), 10, 0).reference.size(2) == 2);
}

TEST_CASE("skipping leaves the accumulated features as they are, and the rest of the run is dense", "[reduce]") {
  SmallRun run(at::kCPU);
  const std::vector<Tensor> dense = record(run).bits;
  run.settings.reduction.method = ReductionMethod::skip;
  const std::vector<Tensor> skipped = record(run).bits;
  CHECK(skipped.size() < dense.size());
  for (size_t step = 0; step < skipped.size(); ++step) CHECK(test::same(skipped[step], dense[step]));
}

TEST_CASE("a last scale can be left out while the others are pruned", "[reduce]") {
  SmallRun run(at::kCPU);
  run.settings.reduction.method = ReductionMethod::faststar;
  run.settings.reduction.ratios = {0.2, 0.4, 1};
  const auto& scales = run.schedule.scales();
  run.schedule = Schedule({scales.begin(), scales.begin() + 8});  // no later clip reads the last scale
  const RecordedRun recorded = record(run);
  CHECK(recorded.reduced.back().step.scale == 6);  // scale 7 is gone
  CHECK(recorded.reduced.size() == 3);
}

}  // namespace
}  // namespace faststar
