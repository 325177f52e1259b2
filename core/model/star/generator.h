#pragma once
#include <optional>
#include <vector>

#include "core/base/process_group.h"
#include "core/model/pyramid/schedule.h"
#include "core/model/reduce/reduction.h"
#include "core/model/star/guidance.h"
#include "core/model/star/transformer.h"

namespace faststar {

/// How a run over a schedule samples.
struct GenerationSettings {
  Repetitions repetitions;
  int semantic_scales = 12;  ///< scales of a clip that use the semantic head
  GuidanceSettings guidance;
  double tau_image = 1.0;  ///< divides the logits of the first clip
  double tau_video = 0.4;  ///< and of later ones
  Sampling sampling = Sampling::philox;
  uint64_t seed = 0;
  AttentionSettings attention;
  LinearPrecision linears = LinearPrecision::backbone;  ///< of Fp8Passes
  std::optional<ScaleChoice> fp8_scales;                ///< of Fp8Passes
  ReductionSettings reduction;
};

/// Which passes multiply in E4M3: none, all, or every pass of chosen scales of the video clips. The model has weights
/// for them.
class Fp8Passes {
 public:
  /// No pass.
  Fp8Passes() = default;
  /// None with linears `backbone`. `scales`: none: all passes. Throws Error(usage) when it names scales that do not
  /// exist.
  Fp8Passes(LinearPrecision linears, const std::optional<ScaleChoice>& scales, const Schedule& schedule);
  bool contains(const Step& step) const;

 private:
  bool all_ = false;
  std::vector<bool> scales_;  ///< by absolute scale; empty: none
};

/// Features of the prompt and of the negative prompt: [T, text_width] float32 each, T may differ.
struct TextFeatures {
  Tensor cond;
  Tensor uncond;  ///< undefined: the checkpoint's learned features, as many as `cond` has
};

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

/// What a run starts from.
struct GenerationInput {
  TextFeatures text;
  /// Bits of every step of the first clips, in place of sampled ones. Passes of those clips that nothing reads are not
  /// computed; this changes no result.
  std::vector<Tensor> given_bits = {};
  std::optional<InteractiveCondition> condition = {};  ///< interactive mode only
};

/// What a step sampled. `logits` are raw: [batch, t h w, 2 d], row 0 conditional; in a reduced step of the drawn tokens
/// only.
struct StepResult {
  const Step& step;
  const Tensor& logits;
  const Tensor& bits;  ///< [1, t, h, w, d] uint8; 0 where nothing was drawn
};

/// What a reduced step decided and did.
struct ReducedStep {
  const Step& step;
  const Scale& scale;
  const ReductionPlan& plan;
  const Tensor& input;   ///< accumulated features at the entry: [1, 64, T, H, W]
  const Tensor& codes;   ///< [1, d, t, h, w], zero where nothing was drawn
  const Tensor& output;  ///< accumulated features after the partial update
};

/// Watches a run. An exception from any of its functions ends the run.
class GenerationObserver {
 public:
  virtual ~GenerationObserver() = default;
  /// After the passes over text and conditions, before the first step.
  virtual void on_begin() {}
  /// After bits were sampled. Returns the bits to go on with.
  virtual Tensor on_bits(const StepResult& result) { return result.bits; }
  /// After every reduced step that computed anything.
  virtual void on_reduced_step(const ReducedStep&) {}
  /// After every step that computed anything, also with given bits. clips: the accumulated features of all clips so
  /// far, [1, 64, t, H, W] each.
  virtual void on_step(const Step&, const std::vector<Tensor>& /*clips*/) {}
};

/// Tokens that the run's KvCache has room for behind the context of every layer: 0.3 GB at full size.
int64_t kv_room(const Schedule& schedule);

/// Runs the transformer over all steps of `schedule`: the main loop (ar_infer_infinity_elegant of
/// infinity/models/infinity.py). Returns the accumulated features of all clips, joined on time: [1, 64, T, H, W]
/// float32. Throws Error(usage) when reduction settings do not fit, Error(input) when a condition does not. All
/// processes of a `group` call it with the same arguments and get the same features.
Tensor generate(const StarTransformer& model, const Schedule& schedule, const GenerationSettings& settings,
                const GenerationInput& input, GenerationObserver* observer = nullptr, ProcessGroup* group = nullptr);

}  // namespace faststar
