#include "core/model/reduce/reduction.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/model/reduce/selection.h"

namespace faststar {
namespace {

/// What every method has to beat: keeps tokens at random, others in every pass.
class RandomPruning final : public TokenReducer {
 public:
  explicit RandomPruning(const ReductionContext& context) : context_(context) {}

  ReductionPlan plan(const ReducedPass& pass, const Tensor&) override {
    const Scale& scale = pass.scale;
    const Tensor tokens = at::arange(scale.tokens(), pass.summed.options().dtype(at::kLong));
    const Tensor uniform =
        philox_uniform(context_.random_step(pass.step), RandomPurpose::random_mask, tokens, 4).select(1, 0);
    const Tensor score = uniform.contiguous().view({scale.t, scale.h, scale.w});
    ReductionPlan plan = choose_tokens(context_, pass, score);
    plan.evidence.similarity.score = score;
    return plan;
  }

 private:
  ReductionContext context_;
};

/// Leaves out whole scales at the end of the last clip. The gate decides which (ReductionGate::skips), so that no pass
/// is ever left to plan.
class Skip final : public TokenReducer {
 public:
  ReductionPlan plan(const ReducedPass&, const Tensor&) override {
    fail(ErrorKind::internal, "skip: a pass that is not left out");
  }
};

std::unique_ptr<TokenReducer> make_method(const ReductionContext& context) {
  switch (context.settings.method) {
    case ReductionMethod::faststar:
      if (context.settings.faststar.scorer != Scorer::random) return make_faststar(context);
      [[fallthrough]];
    case ReductionMethod::random: return std::make_unique<RandomPruning>(context);
    case ReductionMethod::fastvar: return make_fastvar(context);
    case ReductionMethod::sparsevar: return make_sparsevar(context);
    case ReductionMethod::tome: return make_tome(context);
    case ReductionMethod::stepvar: return make_stepvar(context);
    case ReductionMethod::skip: return std::make_unique<Skip>();
    case ReductionMethod::none: break;
  }
  fail(ErrorKind::internal, "reduction: expected a method");
}

}  // namespace

void FeatureHistory::start_clip(const Step& step, const Tensor& map) {
  if (step.clip == clip_) return;
  clip_ = step.clip;
  updated_scale_ = -1;
  before_scale_ = map;
  finished_.resize(static_cast<size_t>(step.clip) + 1);
}

void FeatureHistory::enter(const Step& step, const Tensor& summed) {
  start_clip(step, summed);
  if (step.clip + 1 < schedule_.clips()) entries_[{step.scale, step.repetition}] = summed;
}

void FeatureHistory::record(const Step& step, const Tensor& before, const Tensor& after) {
  start_clip(step, before);
  finished_[static_cast<size_t>(step.clip)] = after;
  if (after.is_same(before)) return;
  if (step.scale != updated_scale_) before_scale_ = before;
  updated_scale_ = step.scale;
}

Tensor FeatureHistory::entry_in_previous_clip(const Step& step) const {
  const auto found = entries_.find({step.scale - schedule_.scales_per_clip(), step.repetition});
  return found == entries_.end() ? Tensor() : found->second;
}

LayerRange layer_range(const std::vector<int>& chosen, int64_t first, int64_t last, int64_t depth) {
  constexpr int64_t kFullDepth = 36;
  if (!chosen.empty()) return {chosen[0], chosen[1]};
  const int64_t begin = first * depth / kFullDepth;
  return {begin, std::max(begin + 1, last * depth / kFullDepth)};
}

Reduction::Reduction(const ReductionSettings& chosen, const Schedule& schedule, const Repetitions& repetitions,
                     uint64_t seed, const Tensor& embedding, int64_t layers)
    : settings(chosen), gate(chosen, schedule, repetitions), history(schedule) {
  check_depth(chosen, layers);
  method = make_method({settings, gate, schedule, history, seed, embedding, layers});
}

}  // namespace faststar
