#include "core/model/star/interactive.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// RoPE scale positions of the conditions, counted from kVisualScaleStart.
constexpr int kSemanticConditionPosition = 800;
constexpr int kDetailConditionPosition = 801;

void check_condition(const InteractiveCondition& condition, const Schedule& schedule) {
  const auto frames = condition.former.size(2);
  const bool scale_exists = condition.semantic_scale >= 0 && condition.semantic_scale < schedule.scales_per_clip();
  const bool frames_exist =
      std::ranges::all_of(condition.detail_frames, [&](int frame) { return frame >= 0 && frame < frames; });
  if (scale_exists && frames_exist && frames == schedule.full_scale(0).t) return;
  fail(ErrorKind::input,
       fmt::format("interactive condition: expected {} frames, a scale below {} and frames that exist",
                   schedule.full_scale(0).t, schedule.scales_per_clip()));
}

}  // namespace

int64_t interactive_condition_tokens(const Schedule& schedule) {
  constexpr int64_t kDetailFrames = 3;  // the story's first frame and the former clip's last two
  const Scale& full = schedule.full_scale(0);
  const Scale& semantic = schedule.scales()[kSemanticConditionScale];
  return int64_t{full.t} * semantic.h * semantic.w + kDetailFrames * full.h * full.w;
}

std::vector<PassKv> encode_condition(const StarTransformer& model, const Schedule& schedule,
                                     const InteractiveCondition& condition, int64_t batch, AttentionBackend attention) {
  check_condition(condition, schedule);
  const auto encode = [&](const Tensor& map, const RopePositions& positions) {
    const Rope rope = visual_rope(positions, model.architecture().head_dim, model.device());
    PassKv own;
    model.run_blocks(model.embed_tokens(tokens_from_map(map), batch), {rope, {}, attention}, &own);
    return own;
  };
  const Scale full = schedule.full_scale(0);
  const Scale coarse = schedule.scales()[condition.semantic_scale];
  const Scale semantic = {full.t, coarse.h, coarse.w};

  // `first` is frame 0 of the story; frame i of `former`, which lacks its own first frame, stands at i + 1.
  std::vector<Tensor> frames = {condition.first};
  std::vector<int> positions = {0};
  for (const int frame : condition.detail_frames) {
    frames.push_back(condition.former.narrow(2, frame, 1));
    positions.push_back(frame + 1);
  }
  const Scale detail = {static_cast<int>(frames.size()), full.h, full.w};
  return {encode(downsample_accumulated(condition.former, semantic),
                 {kVisualScaleStart + kSemanticConditionPosition, consecutive(1, full.t + 1), semantic, full}),
          encode(at::cat(frames, 2), {kVisualScaleStart + kDetailConditionPosition, positions, detail, full})};
}

}  // namespace faststar
