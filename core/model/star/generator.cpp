#include "core/model/star/generator.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/profile.h"
#include "core/model/pyramid/codes.h"
#include "core/model/reduce/faststar.h"
#include "core/model/star/guidance_reuse.h"
#include "core/model/star/shared_blocks.h"

namespace faststar {
namespace {

/// 57 of the 85 passes of a 720p video are not longer. Beyond it a copy of the context is small beside the pass itself.
constexpr int64_t kKvRoom = 1024;

/// The tokens that pass the backbone: [1, L, 64]. Gathered as a map, so that memory lies as it does for all tokens.
Tensor input_tokens(const Tensor& input, const ReductionPlan& plan) {
  if (!plan.kept.defined()) return tokens_from_map(input);
  return input.flatten(2).index_select(2, plan.kept).transpose(1, 2);
}

/// The tokens that a plan draws bits for; undefined: all.
const Tensor& drawn_tokens(const ReductionPlan& plan) { return plan.updated.defined() ? plan.updated : plan.kept; }

/// The texts of a guidance batch: [B, T, text_width], or one [1, T, text_width] a row where the lengths differ.
std::vector<Tensor> text_batches(const StarTransformer& model, const TextFeatures& text, double guidance_scale) {
  if (guidance_scale == 1) return {text.cond.unsqueeze(0)};
  const Tensor uncond = text.uncond.defined() ? text.uncond : model.unconditional_text(text.cond.size(0));
  if (text.cond.size(0) == uncond.size(0)) return {at::stack({text.cond, uncond})};
  return {text.cond.unsqueeze(0), uncond.unsqueeze(0)};
}

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

/// Keys and values of the coarse and of the fine condition, for `batch` equal rows; each attends to itself only. Throws
/// Error(input) when the condition does not fit the schedule.
/// Source: ar_infer_infinity_star_interact of infinity/models/infinity.py.
std::vector<PassKv> encode_condition(const SharedBlocks& blocks, const Schedule& schedule,
                                     const InteractiveCondition& condition, int64_t batch,
                                     const AttentionSettings& attention) {
  check_condition(condition, schedule);
  const StarTransformer& model = blocks.model();
  const auto encode = [&](const Tensor& map, const RopePositions& positions) {
    const Rope rope = visual_rope(positions, model.architecture().head_dim, model.device());
    PassKv own;
    blocks.run(model.embed_tokens(tokens_from_map(map), batch), {rope, {}, attention}, &own);
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

/// One run over a schedule and its state.
class StarRun {
 public:
  StarRun(const SharedBlocks& blocks, const Schedule& schedule, const GenerationSettings& settings,
          const GenerationInput& input, GenerationObserver& observer)
      : blocks_(blocks),
        model_(blocks.model()),
        schedule_(schedule),
        settings_(settings),
        given_bits_(input.given_bits),
        observer_(observer),
        rows_(settings.guidance, schedule),
        fp8_(settings.linears, settings.fp8_scales, schedule) {
    if (settings.reduction.method != ReductionMethod::none) {
      reduction_.emplace(settings.reduction, schedule, settings.repetitions, settings.seed, model_.embedding(),
                         model_.architecture().layers);
    }
    std::vector<PassKv> text = encode_text(input.text);
    std::vector<PassKv> references;
    if (input.condition) {
      references = encode_condition(blocks_, schedule, *input.condition, rows_.all(), settings.attention);
    }
    cache_ = KvCache(std::move(text), std::move(references), kv_room(schedule));
    if (input.condition && reduction_) reduction_->history.set_former(input.condition->former);
  }

  Tensor run() {
    observer_.on_begin();
    std::vector<Tensor> clips;
    const auto options = at::TensorOptions(model_.device()).dtype(at::kFloat);
    for (const Step& step : schedule_.steps(settings_.repetitions)) {
      if (step.clip == static_cast<int>(clips.size())) {
        const Scale& full = schedule_.full_scale(step.clip);
        clips.push_back(at::zeros({1, kFeatureChannels, full.t, full.h, full.w}, options));
      }
      clips.back() = run_step(step, clips.back());
      if (is_computed(step)) observer_.on_step(step, clips);
    }
    return at::cat(clips, 2);
  }

 private:
  /// Keys and values of the texts: one entry for all rows, or one a row.
  std::vector<PassKv> encode_text(const TextFeatures& text) const {
    std::vector<PassKv> encoded;
    for (const Tensor& batch : text_batches(model_, text, settings_.guidance.scale)) {
      const Rope rope = text_rope(batch.size(1), model_.architecture().head_dim, model_.device());
      model_.run_blocks(model_.embed_text(batch.to(model_.device())), {rope, {}, settings_.attention},
                        &encoded.emplace_back());
    }
    return encoded;
  }

  bool is_given(const Step& step) const { return step.index < static_cast<int>(given_bits_.size()); }
  /// False for a step whose bits are given and whose keys and values nobody reads.
  bool is_computed(const Step& step) const { return !is_given(step) || schedule_.is_referenced_later(step); }
  const Scale& scale_of(const Step& step) const { return schedule_.scales()[step.scale]; }

  /// The accumulated features after a step. summed [1, 64, T, H, W]: before it.
  Tensor run_step(const Step& step, const Tensor& summed) {
    const Tensor input = downsample_accumulated(summed, scale_of(step));
    const bool reduced = reduction_ && !is_given(step) && reduction_->gate.reduces(step);
    const Tensor after = reduced ? run_reduced_step(step, summed, input) : run_full_step(step, summed, input);
    if (reduction_) reduction_->history.record(step, summed, after);
    return after;
  }

  Tensor run_full_step(const Step& step, const Tensor& summed, const Tensor& input) {
    Tensor bits;
    if (is_given(step)) {
      if (is_computed(step)) run_backbone(step, input, {});
      bits = given_bits_[step.index].to(model_.device());
    } else {
      bits = generate_bits(step, input, {});
    }
    return full_update(step, summed, bits);
  }

  Tensor full_update(const Step& step, const Tensor& summed, const Tensor& bits) const {
    return summed + upsample_codes(codes_from_bits(bits), schedule_.full_scale(step.clip));
  }

  /// Token reduction: choose tokens, compute only these, update only what they cover.
  Tensor run_reduced_step(const Step& step, const Tensor& summed, const Tensor& input) {
    if (reduction_->gate.skips(step)) return summed;
    Tensor bits, outcome;
    if (reduction_->method->wants_outcome()) {
      bits = generate_bits(step, input, {});
      outcome = full_update(step, summed, bits);
    }
    const ReductionPlan plan = [&] {
      const ProfileRange range(PassPart::reduction);
      reduction_->history.enter(step, summed);
      return reduction_->method->plan({step, scale_of(step), schedule_.full_scale(step.clip), summed, input}, outcome);
    }();
    if (!bits.defined()) bits = generate_bits(step, input, plan);
    Tensor codes, output;
    {
      const ProfileRange range(PassPart::reduction);
      codes = at::where(plan.token_mask.gt(0), codes_from_bits(bits), 0.0f);
      output = partial_update(summed, codes, plan.feature_mask);
    }
    observer_.on_reduced_step({step, scale_of(step), plan, summed, codes, output});
    return output;
  }

  /// One pass of the transformer, guidance, and sampling: bits on the whole grid, zero where the plan draws none.
  Tensor generate_bits(const Step& step, const Tensor& input, const ReductionPlan& plan) {
    const Head head = schedule_.index_in_clip(step.scale) < settings_.semantic_scales ? Head::semantic : Head::detail;
    Tensor hidden = run_backbone(step, input, plan);
    if (plan.source.defined()) {
      const ProfileRange range(PassPart::reduction);
      hidden = hidden.index_select(1, plan.source);
    }
    const Tensor raw = model_.logits(hidden, head);  // [B, L, 2 d]
    hidden.reset();
    Tensor guided;
    {
      const ProfileRange range(PassPart::sampling);
      guided = guide_logits(step, raw, drawn_tokens(plan));
    }
    if (reduction_) reduction_->method->see_logits(step, guided);
    // Every process draws them; those of the first one hold, so that no rounding can lead the others elsewhere.
    const Tensor bits = blocks_.group().broadcast(draw_bits(step, guided, plan));
    return observer_.on_bits({step, raw, bits});
  }

  /// The hidden states of the guidance batch: [B, L, C], B being the rows that the pass runs, L all tokens or those
  /// that the plan keeps.
  Tensor run_backbone(const Step& step, const Tensor& input, const ReductionPlan& plan) {
    const Rope all = visual_rope(positions_of(step), model_.architecture().head_dim, model_.device());
    const auto [rope, tokens] = [&] {
      const ProfileRange range(plan.kept.defined() ? PassPart::reduction : PassPart::rest);
      return std::pair(plan.kept.defined() ? gather_rope(all, plan.kept) : all, input_tokens(input, plan));
    }();
    LayerReducer* reducer = reduction_ && !is_given(step) ? reduction_->method->layers(step) : nullptr;
    const bool referenced = schedule_.is_referenced_later(step);
    PassKv own;
    Tensor hidden = blocks_.run(model_.embed_tokens(tokens, rows_.of(step)),
                                {rope, cache_, attention_of(step, tokens.size(1)), reducer, fp8_.contains(step)},
                                referenced ? &own : nullptr);
    // Later scales attend to this one alone: what it attended to is freed here.
    if (referenced) {
      std::vector<PassKv> references;  // not a list in braces, which would keep a second handle to every layer
      references.push_back(std::move(own));
      cache_.set_references(std::move(references));
    }
    return hidden;
  }

  /// Attention of a pass with `queries` tokens a row: it follows the linear layers into 8 bits where that pays.
  AttentionSettings attention_of(const Step& step, int64_t queries) const {
    AttentionSettings attention = settings_.attention;
    const bool may_be_fa3 =
        attention.backend == AttentionBackend::automatic || attention.backend == AttentionBackend::fa3;
    if (attention.precision == AttentionPrecision::automatic && may_be_fa3 && fp8_.contains(step) &&
        queries >= kFp8MinQueries) {
      attention.precision = AttentionPrecision::fp8;
    }
    return attention;
  }

  RopePositions positions_of(const Step& step) const {
    const FrameRange frames = schedule_.frames_of(step.clip);
    return {kVisualScaleStart + step.index, consecutive(frames.begin, frames.end), scale_of(step),
            schedule_.scales().back()};
  }

  /// Temperature and guidance: raw [B, L, 2 d] of the tokens `drawn` -> [L, 2 d].
  Tensor guide_logits(const Step& step, const Tensor& raw, const Tensor& drawn) {
    const Tensor scaled = raw * (1.0 / (step.clip == 0 ? settings_.tau_image : settings_.tau_video));
    if (rows_.all() == 1) return scaled[0];
    if (rows_.reuses(step)) {
      const Tensor difference = carried_.at(step.clip, scale_of(step), scaled.size(2), drawn);
      return difference.defined() ? scaled[0] + difference * settings_.guidance.reuse.weight : scaled[0];
    }
    const Tensor guided = guide_rows(step, scaled);
    const GuidanceReuseSettings& reuse = settings_.guidance.reuse;
    if (reuse.passes != GuidanceReuse::none && reuse.weight != 0) {
      carried_.keep(step.clip, scale_of(step), guided - scaled[0], drawn);
    }
    return guided;
  }

  /// Guidance in a pass that ran both rows: scaled [2, L, 2 d] -> [L, 2 d].
  Tensor guide_rows(const Step& step, const Tensor& scaled) {
    const bool remembers = reduction_ && settings_.reduction.apg_stats == ApgStatistics::last_full &&
                           settings_.guidance.method == GuidanceMethod::apg;
    if (remembers && reduction_->gate.reduces(step) && last_full_) {
      return guide_as_measured(scaled[0], scaled[1], settings_.guidance, *last_full_);
    }
    if (remembers) last_full_ = measure_apg(scaled[0], scaled[1], settings_.guidance);
    return guide(scaled[0], scaled[1], settings_.guidance);
  }

  Tensor draw_bits(const Step& step, const Tensor& guided, const ReductionPlan& plan) const {
    const ProfileRange range(PassPart::sampling);
    const Scale& scale = scale_of(step);
    const RandomStep random{settings_.seed, step.clip, step.scale, step.repetition};
    const Tensor& drawn = drawn_tokens(plan);
    const Tensor some = sample_bits(guided, settings_.sampling, random, drawn);
    if (!drawn.defined()) return grid_from_tokens(some, scale);
    return grid_from_tokens(some.new_zeros({scale.tokens(), some.size(1)}).index_copy_(0, drawn, some), scale);
  }

  const SharedBlocks& blocks_;
  const StarTransformer& model_;
  const Schedule& schedule_;
  const GenerationSettings& settings_;
  const std::vector<Tensor>& given_bits_;
  GenerationObserver& observer_;
  GuidanceRows rows_;
  Fp8Passes fp8_;
  CarriedGuidance carried_;
  KvCache cache_;
  std::optional<Reduction> reduction_;    ///< none: every pass is dense
  std::optional<ApgMeasures> last_full_;  ///< of the last full pass, for apg_stats last_full
};

}  // namespace

int64_t interactive_condition_tokens(const Schedule& schedule) {
  constexpr int64_t kDetailFrames = 3;  // the story's first frame and the former clip's last two
  const Scale& full = schedule.full_scale(0);
  const Scale& semantic = schedule.scales()[kSemanticConditionScale];
  return int64_t{full.t} * semantic.h * semantic.w + kDetailFrames * full.h * full.w;
}

Fp8Passes::Fp8Passes(LinearPrecision linears, const std::optional<ScaleChoice>& scales, const Schedule& schedule)
    : all_(linears != LinearPrecision::backbone && !scales) {
  const bool some = linears != LinearPrecision::backbone && scales;
  if (some) scales_ = chosen_flags(*scales, schedule, "fp8_scales");
}

bool Fp8Passes::contains(const Step& step) const {
  return all_ || (!scales_.empty() && scales_[static_cast<size_t>(step.scale)]);
}

int64_t kv_room(const Schedule& schedule) {
  int64_t longest = 0;
  for (const Scale& scale : schedule.scales()) longest = std::max(longest, scale.tokens());
  return std::min(longest, kKvRoom);
}

Tensor generate(const StarTransformer& model, const Schedule& schedule, const GenerationSettings& settings,
                const GenerationInput& input, GenerationObserver* observer, ProcessGroup* group) {
  GenerationObserver nobody;
  ProcessGroup alone;
  const SharedBlocks blocks(model, group ? *group : alone);
  return StarRun(blocks, schedule, settings, input, observer ? *observer : nobody).run();
}

}  // namespace faststar
