#include "core/star/generator.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/pyramid/codes.h"

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
    const Rope rope = text_rope(batch.size(1), model_.architecture().head_width, model_.device());
    model_.run_blocks(model_.embed_text(batch.to(model_.device())), {rope, {}, settings_.attention}, &group.text);
    groups_.push_back(std::move(group));
  }
}

void Generator::add_condition(const Tensor& map, const RopePositions& positions) {
  const Rope rope = visual_rope(positions, model_.architecture().head_width, model_.device());
  for (RowGroup& group : groups_) {
    group.references.emplace_back();
    model_.run_blocks(model_.embed_codes(map, group.rows), {rope, {}, settings_.attention}, &group.references.back());
  }
}

void Generator::set_interactive_condition(const InteractiveCondition& condition) {
  const Scale full = schedule_.full_scale(0);
  check_condition(condition, schedule_);
  const Scale semantic = {full.t, schedule_.scales()[condition.semantic_scale].h,
                          schedule_.scales()[condition.semantic_scale].w};
  add_condition(downsample_summed_codes(condition.former, semantic),
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

/// The hidden states of each group: [rows, t h w, C].
std::vector<Tensor> Generator::run_pass(const Step& step, const Tensor& input) {
  const Rope rope = visual_rope(positions_of(step), model_.architecture().head_width, model_.device());
  std::vector<Tensor> hidden;
  for (RowGroup& group : groups_) {
    Context context = {&group.text};
    for (const KeyValues& reference : group.references) context.push_back(&reference);
    KeyValues own;
    hidden.push_back(model_.run_blocks(model_.embed_codes(input, group.rows), {rope, context, settings_.attention},
                                       schedule_.is_referenced_later(step) ? &own : nullptr));
    // Later scales refer to this one alone: what it referred to is freed here.
    if (schedule_.is_referenced_later(step)) group.references.assign(1, std::move(own));
  }
  return hidden;
}

Tensor Generator::guided_logits(const Step& step, const Tensor& raw) const {
  const Tensor scaled = raw * (1.0 / (step.clip == 0 ? settings_.tau_image : settings_.tau_video));
  return raw.size(0) == 1 ? scaled[0] : guide(scaled[0], scaled[1], settings_.guidance);
}

Tensor Generator::generate_bits(const Step& step, const Tensor& input) {
  const Scale& scale = schedule_.scales()[step.scale];
  const Head head = schedule_.index_in_clip(step.scale) < settings_.semantic_scales ? Head::semantic : Head::detail;
  std::vector<Tensor> logits;
  for (const Tensor& hidden : run_pass(step, input)) logits.push_back(model_.logits(hidden, head));
  const Tensor raw = at::cat(logits);  // [rows, t h w, 2 d]
  const RandomStep random{settings_.seed, step.clip, step.scale, step.repetition};
  const Tensor bits = grid_from_tokens(sample_bits(guided_logits(step, raw), settings_.sampling, random), scale);
  return observer_ ? observer_({step, scale, raw, bits}) : bits;
}

Tensor Generator::run_step(const Step& step, const Tensor& input) {
  if (!is_given(step)) return generate_bits(step, input);
  if (runs(step)) run_pass(step, input);
  return given_bits_[step.index].to(model_.device());
}

Tensor Generator::run() {
  std::vector<Tensor> clips;
  const auto options = at::TensorOptions(model_.device()).dtype(at::kFloat);
  for (const Step& step : schedule_.steps(settings_.repetitions)) {
    const Scale& full = schedule_.full_scale(step.clip);
    if (step.clip == static_cast<int>(clips.size())) {
      clips.push_back(at::zeros({1, kFeatureChannels, full.t, full.h, full.w}, options));
    }
    const Tensor input = downsample_summed_codes(clips.back(), schedule_.scales()[step.scale]);
    const Tensor bits = run_step(step, input);
    clips.back() = clips.back() + upsample_codes(codes_from_bits(bits), full);
    if (listener_ && runs(step)) listener_(step, clips);
  }
  return at::cat(clips, 2);
}

}  // namespace faststar
