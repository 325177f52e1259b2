#pragma once
#include <functional>
#include <vector>

#include "core/base/pass_parts.h"
#include "core/model/pyramid/schedule.h"
#include "core/model/reduce/reduction.h"
#include "core/model/star/guidance.h"
#include "core/model/star/sampler.h"
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
  AttentionBackend attention = AttentionBackend::automatic;
  ReductionSettings reduction;
};

/// Features of the two guidance rows: [T, text_width] float32 each, T may differ.
struct TextFeatures {
  Tensor cond;
  Tensor uncond;  ///< undefined: the checkpoint's learned features, as many as `cond` has
};

/// What a step produced. `logits` are raw: [rows, t h w, 2 d], row 0 conditional; of the tokens `drawn` only in a
/// reduced step.
struct StepResult {
  const Step& step;
  const Scale& scale;
  const Tensor& logits;
  const Tensor& bits;   ///< [1, t, h, w, d] uint8; 0 where nothing was drawn
  const Tensor& drawn;  ///< [U] int64; undefined: all tokens
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
using ReductionObserver = std::function<void(const ReducedStep& step)>;

/// Called after every generated step; returns the bits to go on with, usually `result.bits`.
/// Throwing ends the run.
using StepObserver = std::function<Tensor(const StepResult& result)>;

/// Called after every pass, also those whose bits are given, with the accumulated features of all clips so far, each
/// [1, 64, t, H, W]. Throwing ends the run.
using StepListener = std::function<void(const Step& step, const std::vector<Tensor>& clips)>;

/// The scale whose size the coarse condition of the interactive mode has (tools/infer_interact_480p.py).
inline constexpr int kSemanticConditionScale = 7;
/// Tokens that the interactive conditions add to every step of `schedule`, a clip of that mode.
int64_t interactive_condition_tokens(const Schedule& schedule);

/// One run over a schedule: the main loop (ar_infer_infinity_elegant, ar_infer_infinity_star_interact of
/// infinity/models/infinity.py). Holds keys and values of the text and of the scale that later ones refer to.
class Generator {
 public:
  /// `model` and `schedule` are referred to and must outlive the run.
  Generator(const StarTransformer& model, const Schedule& schedule, GenerationSettings settings);

  /// Runs the text pass. Rows of unequal length run one by one; equal ones as one batch.
  void set_text(const TextFeatures& text);

  /// Interactive mode: keys and values of the former clip, in place of a clip reference.
  /// former [1, 64, 20, H, W]: the former clip without its first latent frame; first [1, 64, 1, H, W]: the
  /// story's first frame. The coarse former clip (size of `semantic_scale`) and the fine frames first and
  /// `detail_frames` of former each attend to themselves only.
  struct InteractiveCondition {
    Tensor former;
    Tensor first;
    int semantic_scale = kSemanticConditionScale;
    std::vector<int> detail_frames = {18, 19};  ///< the last two
  };
  void set_interactive_condition(const InteractiveCondition& condition);

  /// Bits of every step of the first clips, in place of sampled ones. Passes of those clips that nothing reads
  /// are skipped; this changes no result.
  void set_given_bits(std::vector<Tensor> bits) { given_bits_ = std::move(bits); }
  void set_observer(StepObserver observer) { observer_ = std::move(observer); }
  void set_listener(StepListener listener) { listener_ = std::move(listener); }
  /// Called after every reduced step that computed anything.
  void set_reduction_observer(ReductionObserver observer) { reduction_observer_ = std::move(observer); }

  /// Hears what the passes of the run are at, as PassPart tells parts apart; it must outlive the run. Null: nobody
  /// asks.
  void set_part_timer(PartTimer* parts) { parts_ = parts; }

  /// The accumulated features of all clips, joined on time: [1, 64, T, H, W] float32.
  Tensor run();

 private:
  /// Guidance rows that run as one batch and the keys and values that they keep.
  struct RowGroup {
    int64_t rows = 0;
    KeyValues text;
    std::vector<KeyValues> references;  ///< last scale of the clip before, or interactive conditions
  };

  void add_condition(const Tensor& map, const RopePositions& positions);
  Tensor run_step(const Step& step, const Tensor& summed);
  Tensor run_reduced_step(const Step& step, const Tensor& summed, const Tensor& input);
  Tensor full_update(const Step& step, const Tensor& summed, const Tensor& input);
  Tensor given_or_generated_bits(const Step& step, const Tensor& input);
  Tensor generate_bits(const Step& step, const Tensor& input, const ReductionPlan& plan);
  Tensor draw_bits(const Step& step, const Tensor& guided, const ReductionPlan& plan) const;
  std::vector<Tensor> run_pass(const Step& step, const Tensor& input, const ReductionPlan& plan);
  bool is_given(const Step& step) const { return step.index < static_cast<int>(given_bits_.size()); }
  /// False for a pass whose bits are given and whose keys and values nobody reads.
  bool runs(const Step& step) const { return !is_given(step) || schedule_.is_referenced_later(step); }
  RopePositions positions_of(const Step& step) const;
  Tensor guided_logits(const Step& step, const Tensor& raw);

  const StarTransformer& model_;
  const Schedule& schedule_;
  GenerationSettings settings_;
  std::vector<RowGroup> groups_;
  Tensor former_;  ///< of the interactive condition
  std::vector<Tensor> given_bits_;
  StepObserver observer_;
  StepListener listener_;
  ReductionObserver reduction_observer_;
  PartTimer* parts_ = nullptr;
  std::optional<Reduction> reduction_;    ///< none: every pass is dense
  std::optional<ApgMeasures> last_full_;  ///< of the last full pass, for apg_stats last_full
};

using InteractiveCondition = Generator::InteractiveCondition;

/// What a run starts from.
struct GenerationInput {
  TextFeatures text;
  /// Bits of every step of the first clips, in place of sampled ones. Passes of those clips that nothing reads are not
  /// computed; this changes no result.
  std::vector<Tensor> given_bits = {};
  std::optional<InteractiveCondition> condition = {};  ///< interactive mode only
};

/// Watches a run. An exception from any of its functions ends the run.
class GenerationObserver {
 public:
  virtual ~GenerationObserver() = default;
  /// After bits were sampled. Returns the bits to go on with.
  virtual Tensor on_bits(const StepResult& result) { return result.bits; }
  /// After every reduced step that computed anything.
  virtual void on_reduced_step(const ReducedStep&) {}
  /// After every step that computed anything, also with given bits. clips: the accumulated features of all clips so
  /// far, [1, 64, t, H, W] each.
  virtual void on_step(const Step&, const std::vector<Tensor>& /*clips*/) {}
};

/// Runs the transformer over all steps of `schedule`: a Generator in one call.
Tensor generate(const StarTransformer& model, const Schedule& schedule, const GenerationSettings& settings,
                const GenerationInput& input, GenerationObserver* observer = nullptr);

}  // namespace faststar
