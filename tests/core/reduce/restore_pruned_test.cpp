#include "core/reduce/restore_pruned.h"

#include <ATen/ATen.h>

#include "core/reduce/small_run.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::RecordedRun;
using test::SmallRun;

TEST_CASE("area fills pruned tokens with the mean of the drawn codes around", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor codes = at::tensor({1.f, 0.f, 0.f, 0.f, 0.f, 5.f}, device).view({1, 1, 1, 1, 6});
  const Tensor drawn = at::tensor({1, 0, 0, 0, 0, 1}, at::TensorOptions(device).dtype(at::kByte)).view({1, 1, 6});
  const Tensor filled = predict_codes(codes, drawn, PrunedTokens::area).flatten();
  CHECK(test::same(filled.cpu(), at::tensor({1.f, 1.f, 0.f, 0.f, 5.f, 5.f})));
}

TEST_CASE("temporal fills pruned tokens from the nearest frame that drew one there", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor codes = at::tensor({0.f, 2.f, 0.f, 4.f, 0.f}, device).view({1, 1, 5, 1, 1});
  const Tensor drawn = at::tensor({0, 1, 0, 1, 0}, at::TensorOptions(device).dtype(at::kByte)).view({5, 1, 1});
  const Tensor filled = predict_codes(codes, drawn, PrunedTokens::temporal).flatten();
  CHECK(test::same(filled.cpu(), at::tensor({2.f, 2.f, 2.f, 4.f, 4.f})));
  const Tensor never = at::zeros_like(drawn);
  CHECK(test::same(predict_codes(at::zeros_like(codes), never, PrunedTokens::temporal), at::zeros_like(codes)));
}

TEST_CASE("pruned positions get what the clip before got there, or ended with", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  SmallRun run(device);
  run.settings.reduction.method = ReductionMethod::faststar;
  run.settings.reduction.ratios = {0.7, 0.7, 0.7};  // of two frames: some places are pruned in both
  const auto how = GENERATE(PrunedTokens::previous_map, PrunedTokens::previous_update);
  run.settings.reduction.faststar.restore = how;
  const RecordedRun recorded = test::record(run);
  REQUIRE_FALSE(recorded.reduced.empty());
  const auto& first = recorded.reduced.front();
  REQUIRE(first.step.clip == 1);
  const Tensor image = recorded.summed.narrow(2, 0, 1);  // the image clip's one frame
  const Tensor pruned = first.plan.feature_mask.eq(0).expand_as(first.input);
  const Tensor changed = (how == PrunedTokens::previous_map ? first.output : first.output - first.input);
  if (how == PrunedTokens::previous_map) {
    CHECK(test::same(changed.masked_select(pruned), image.expand_as(first.input).masked_select(pruned)));
  } else {
    // One update for all frames of a place that none of them computed.
    const Tensor nowhere = first.plan.feature_mask.eq(0).all(0).expand({1, 64, -1, -1});
    const Tensor first_frame = changed.select(2, 0).masked_select(nowhere);
    CHECK(first_frame.abs().max().item<float>() > 0);
    CHECK(test::relative_error(changed.select(2, 1).masked_select(nowhere), first_frame) < 1e-5);
  }
}

TEST_CASE("the image clip at the same scale is another reference than its last map", "[reduce]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  SmallRun run(device);
  run.settings.reduction.method = ReductionMethod::faststar;
  run.settings.reduction.faststar.scorer = Scorer::temporal;
  const Tensor last = test::record(run).reduced.front().plan.evidence.maps.reference;
  run.settings.reduction.faststar.temporal_ref_first = FirstReference::image_same_scale;
  const RecordedRun recorded = test::record(run);
  const Tensor same = recorded.reduced.front().plan.evidence.maps.reference;
  CHECK(same.size(2) == 1);
  CHECK_FALSE(test::same(same, last));
  // By then the image clip had as many scales as the video clip has now: a shorter sum of codes.
  CHECK(same.norm().item<float>() < last.norm().item<float>());
}

}  // namespace
}  // namespace faststar
