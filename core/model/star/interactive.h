#pragma once
#include <vector>

#include "core/model/pyramid/schedule.h"
#include "core/model/star/transformer.h"

namespace faststar {

/// The scale whose size the coarse condition of the interactive mode has (tools/infer_interact_480p.py).
inline constexpr int kSemanticConditionScale = 7;

/// What a clip of the interactive mode attends to in place of the clip before: the whole former clip at the size of
/// `semantic_scale`, and at full size the story's first frame with `detail_frames` of the former clip.
struct InteractiveCondition {
  Tensor former;  ///< accumulated features of the former clip without its first latent frame: [1, 64, 20, H, W]
  Tensor first;   ///< those of the story's first frame: [1, 64, 1, H, W]
  int semantic_scale = kSemanticConditionScale;
  std::vector<int> detail_frames = {18, 19};  ///< the last two
};

/// Tokens that the conditions add to every step of `schedule`, a clip of the interactive mode.
int64_t interactive_condition_tokens(const Schedule& schedule);

/// Keys and values of the coarse and of the fine condition, for `batch` equal rows; each attends to
/// itself only. Throws Error(input) when the condition does not fit the schedule.
/// Source: ar_infer_infinity_star_interact of infinity/models/infinity.py.
std::vector<PassKv> encode_condition(const StarTransformer& model, const Schedule& schedule,
                                     const InteractiveCondition& condition, int64_t batch, AttentionBackend attention);

}  // namespace faststar
