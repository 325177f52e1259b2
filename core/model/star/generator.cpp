#include "core/model/star/generator.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// RoPE scale positions of the interactive conditions, counted from kVisualScaleStart.
constexpr int kSemanticConditionPosition = 800;
constexpr int kDetailConditionPosition = 801;

std::vector<int> consecutive(int begin, int end) {
  std::vector<int> numbers(end - begin);
  std::iota(numbers.begin(), numbers.end(), begin);
  return numbers;
}

void check_condition(const Generator::InteractiveCondition& condition, const Schedule& schedule) {
  const auto frames = condition.former.size(2);
  const bool scale_exists = condition.semantic_scale >= 0 && condition.semantic_scale < schedule.scales_per_clip();
  const bool frames_exist = std::all_of(condition.detail_frames.begin(), condition.detail_frames.end(),
                                        [&](int frame) { return frame >= 0 && frame < frames; });
  if (scale_exists && frames_exist && frames == schedule.full_scale(0).t) return;
  fail(ErrorKind::input,
       fmt::format("interactive condition: expected {} frames, a scale below {} and frames that exist",
                   schedule.full_scale(0).t, schedule.scales_per_clip()));
}

/// What passes the backbone: tokens [1, L, 64]. Gathered as a map, so that memory lies as it does for all tokens.
Tensor tokens_of(const Tensor& input, const ReductionPlan& plan) {
  if (!plan.kept.defined()) return tokens_from_map(input);
  const Tensor gathered = plan.input.defined() ? plan.input : input.flatten(2).index_select(2, plan.kept);
  return gathered.transpose(1, 2);
}

/// The tokens that a plan draws bits for; undefined: all.
const Tensor& drawn_tokens(const ReductionPlan& plan) { return plan.updated.defined() ? plan.updated : plan.kept; }

}  // namespace

int64_t interactive_condition_tokens(const Schedule& schedule) {
  constexpr int64_t kDetailFrames = 3;  // the story's first frame and the former clip's last two
  const Scale& full = schedule.full_scale(0);
  const Scale& semantic = schedule.scales()[kSemanticConditionScale];
  return int64_t{full.t} * semantic.h * semantic.w + kDetailFrames * full.h * full.w;
}

Generator::Generator(const StarTransformer& model, const Schedule& schedule, GenerationSettings settings)
    : model_(model), schedule_(schedule), settings_(std::move(settings)) {}

void Generator::set_text(const TextFeatures& text) {
  std::vector<Tensor> batches;
  if (settings_.guidance.scale == 1) {
    batches = {text.cond.unsqueeze(0)};
  } else if (text.cond.size(0) == text.uncond.size(0)) {
    batches = {at::stack({text.cond, text.uncond})};
  } else {
    batches = {text.cond.unsqueeze(0), text.uncond.unsqueeze(0)};
  }
  groups_.clear();
  for (const Tensor& batch : batches) {
    RowGroup group{.rows = batch.size(0), .text = {}, .references = {}};
    const Rope rope = text_rope(batch.size(1), model_.architecture().head_dim, model_.device());
    model_.run_blocks(model_.embed_text(batch.to(model_.device())), {rope, {}, settings_.attention}, &group.text);
    groups_.push_back(std::move(group));
  }
}

void Generator::add_condition(const Tensor& map, const RopePositions& positions) {
  const Rope rope = visual_rope(positions, model_.architecture().head_dim, model_.device());
  for (RowGroup& group : groups_) {
    group.references.emplace_back();
    model_.run_blocks(model_.embed_codes(map, group.rows), {rope, {}, settings_.attention}, &group.references.back());
  }
}

void Generator::set_interactive_condition(const InteractiveCondition& condition) {
  const Scale full = schedule_.full_scale(0);
  check_condition(condition, schedule_);
  former_ = condition.former;
  const Scale semantic = {full.t, schedule_.scales()[condition.semantic_scale].h,
                          schedule_.scales()[condition.semantic_scale].w};
  add_condition(downsample_accumulated(condition.former, semantic),
                {kVisualScaleStart + kSemanticConditionPosition, consecutive(1, full.t + 1), semantic, full});

  // `first` is frame 0 of the story; frame i of `former`, which lacks its own first frame, stands at i + 1.
  std::vector<Tensor> frames = {condition.first};
  std::vector<int> positions = {0};
  for (const int frame : condition.detail_frames) {
    frames.push_back(condition.former.narrow(2, frame, 1));
    positions.push_back(frame + 1);
  }
  const Scale detail = {static_cast<int>(frames.size()), full.h, full.w};
  add_condition(at::cat(frames, 2), {kVisualScaleStart + kDetailConditionPosition, positions, detail, full});
}

RopePositions Generator::positions_of(const Step& step) const {
  const FrameRange frames = schedule_.frames_of(step.clip);
  return {kVisualScaleStart + step.index, consecutive(frames.begin, frames.end), schedule_.scales()[step.scale],
          schedule_.scales().back()};
}

/// The hidden states of each group: [rows, L, C], L being all tokens or those that the plan keeps.
std::vector<Tensor> Generator::run_pass(const Step& step, const Tensor& input, const ReductionPlan& plan) {
  const Rope all = visual_rope(positions_of(step), model_.architecture().head_dim, model_.device());
  const PassPart gathering = plan.kept.defined() ? PassPart::reduction : PassPart::rest;
  const Rope rope = timed(parts_, gathering, [&] { return plan.kept.defined() ? gather_rope(all, plan.kept) : all; });
  const Tensor tokens = timed(parts_, gathering, [&] { return tokens_of(input, plan); });
  std::vector<Tensor> hidden;
  for (size_t i = 0; i < groups_.size(); ++i) {
    RowGroup& group = groups_[i];
    Context context = {&group.text};
    for (const KeyValues& reference : group.references) context.push_back(&reference);
    KeyValues own;
    const bool reducible = reduction_ && !is_given(step);
    const PassSetting pass{rope, context, settings_.attention,
                           reducible ? reduction_->layers(step, static_cast<int>(i)) : nullptr, parts_};
    hidden.push_back(model_.run_blocks(model_.embed_tokens(tokens, group.rows, parts_), pass,
                                       schedule_.is_referenced_later(step) ? &own : nullptr));
    // Later scales refer to this one alone: what it referred to is freed here.
    if (schedule_.is_referenced_later(step)) group.references.assign(1, std::move(own));
  }
  return hidden;
}

Tensor Generator::guided_logits(const Step& step, const Tensor& raw) {
  const Tensor scaled = raw * (1.0 / (step.clip == 0 ? settings_.tau_image : settings_.tau_video));
  if (raw.size(0) == 1) return scaled[0];
  const bool remembers = reduction_ && settings_.reduction.apg_stats == ApgStatistics::last_full &&
                         settings_.guidance.method == GuidanceMethod::apg;
  if (remembers && reduction_->reduces(step) && last_full_) {
    return guide_as_measured(scaled[0], scaled[1], settings_.guidance, *last_full_);
  }
  if (remembers) last_full_ = measure_apg(scaled[0], scaled[1], settings_.guidance);
  return guide(scaled[0], scaled[1], settings_.guidance);
}

/// The bits of a pass on the whole grid, zero where the plan draws none. guided [L, 2 d].
Tensor Generator::draw_bits(const Step& step, const Tensor& guided, const ReductionPlan& plan) const {
  const Scale& scale = schedule_.scales()[step.scale];
  const RandomStep random{settings_.seed, step.clip, step.scale, step.repetition};
  const Tensor& drawn = drawn_tokens(plan);
  if (!drawn.defined()) return grid_from_tokens(sample_bits(guided, settings_.sampling, random), scale);
  const Tensor some = sample_bits(guided, plan.draws.defined() ? plan.draws : drawn, settings_.sampling, random);
  return grid_from_tokens(some.new_zeros({scale.tokens(), some.size(1)}).index_copy_(0, drawn, some), scale);
}

Tensor Generator::generate_bits(const Step& step, const Tensor& input, const ReductionPlan& plan) {
  const Head head = schedule_.index_in_clip(step.scale) < settings_.semantic_scales ? Head::semantic : Head::detail;
  std::vector<Tensor> logits;
  for (const Tensor& hidden : run_pass(step, input, plan)) {
    const Tensor restored =
        plan.source.defined() ? timed(parts_, PassPart::reduction, [&] { return hidden.index_select(1, plan.source); })
                              : hidden;
    logits.push_back(model_.logits(restored, head, parts_));
  }
  const Tensor raw = at::cat(logits);  // [rows, L, 2 d]
  const Tensor guided = timed(parts_, PassPart::sampling, [&] { return guided_logits(step, raw); });
  if (reduction_) reduction_->see_logits(step, guided);
  const Tensor bits = timed(parts_, PassPart::sampling, [&] { return draw_bits(step, guided, plan); });
  if (!observer_) return bits;
  return observer_({step, schedule_.scales()[step.scale], raw, bits, drawn_tokens(plan)});
}

Tensor Generator::given_or_generated_bits(const Step& step, const Tensor& input) {
  if (!is_given(step)) return generate_bits(step, input, {});
  if (runs(step)) run_pass(step, input, {});
  return given_bits_[step.index].to(model_.device());
}

/// The accumulated features after a pass over all tokens.
Tensor Generator::full_update(const Step& step, const Tensor& summed, const Tensor& input) {
  const Tensor bits = given_or_generated_bits(step, input);
  return summed + upsample_codes(codes_from_bits(bits), schedule_.full_scale(step.clip));
}

Tensor Generator::run_reduced_step(const Step& step, const Tensor& summed, const Tensor& input) {
  const Scale& scale = schedule_.scales()[step.scale];
  const Scale& full = schedule_.full_scale(step.clip);
  if (reduction_->skips(step)) return summed;
  Tensor bits;
  Tensor outcome;
  if (reduction_->wants_outcome()) {
    bits = generate_bits(step, input, {});
    outcome = summed + upsample_codes(codes_from_bits(bits), full);
  }
  const ReductionPlan plan = timed(parts_, PassPart::reduction, [&] {
    return reduction_->plan({step, scale, full, summed, input}, outcome);
  });
  if (!outcome.defined()) bits = generate_bits(step, input, plan);
  const auto [codes, output] = timed(parts_, PassPart::reduction, [&] {
    const Tensor drawn = at::where(plan.token_mask.gt(0), codes_from_bits(bits), 0.0f);
    return std::pair(drawn, reduction_->update(plan, summed, drawn));
  });
  if (reduction_observer_) reduction_observer_({step, scale, plan, summed, codes, output});
  return output;
}

/// The accumulated features after one pass.
Tensor Generator::run_step(const Step& step, const Tensor& summed) {
  const Tensor input = downsample_accumulated(summed, schedule_.scales()[step.scale]);
  const bool reduced = reduction_ && !is_given(step) && reduction_->reduces(step);
  const Tensor after = reduced ? run_reduced_step(step, summed, input) : full_update(step, summed, input);
  if (reduction_) reduction_->finish({step, summed, after, !reduced || !reduction_->skips(step), !reduced});
  return after;
}

Tensor Generator::run() {
  if (settings_.reduction.method != ReductionMethod::none) {
    reduction_.emplace(settings_.reduction, schedule_, settings_.repetitions, settings_.seed,
                       Reduction::Backbone{model_.embedding(), model_.architecture().layers});
    reduction_->set_former(former_);
  }
  std::vector<Tensor> clips;
  const auto options = at::TensorOptions(model_.device()).dtype(at::kFloat);
  for (const Step& step : schedule_.steps(settings_.repetitions)) {
    const Scale& full = schedule_.full_scale(step.clip);
    if (step.clip == static_cast<int>(clips.size())) {
      clips.push_back(at::zeros({1, kFeatureChannels, full.t, full.h, full.w}, options));
    }
    clips.back() = run_step(step, clips.back());
    if (listener_ && runs(step)) listener_(step, clips);
  }
  return at::cat(clips, 2);
}

Tensor generate(const StarTransformer& model, const Schedule& schedule, const GenerationSettings& settings,
                const GenerationInput& input, GenerationObserver* observer) {
  Generator generator(model, schedule, settings);
  TextFeatures text = input.text;
  if (!text.uncond.defined()) text.uncond = model.unconditional_text(text.cond.size(0));
  generator.set_text(text);
  if (input.condition) generator.set_interactive_condition(*input.condition);
  generator.set_given_bits(input.given_bits);
  if (observer) {
    generator.set_observer([&](const StepResult& result) { return observer->on_bits(result); });
    generator.set_reduction_observer([&](const ReducedStep& step) { observer->on_reduced_step(step); });
    generator.set_listener([&](const Step& step, const std::vector<Tensor>& clips) { observer->on_step(step, clips); });
  }
  return generator.run();
}

}  // namespace faststar
