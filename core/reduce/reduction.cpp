#include "core/reduce/reduction.h"

#include "core/reduce/check.h"
#include "core/reduce/partial_update.h"
#include "core/reduce/restore_pruned.h"

namespace faststar {
namespace {

bool predicts(PrunedTokens restore) { return restore != PrunedTokens::keep && restore != PrunedTokens::nearest; }

LastFrames last_frames_for(const FastStarOptions& options) {
  const bool looks_back = predicts(options.restore) || options.temporal_ref_first == FirstReference::image_same_scale;
  return looks_back ? LastFrames::keep : LastFrames::forget;
}

}  // namespace

Reduction::Reduction(const ReductionSettings& settings, const Schedule& schedule, const Repetitions& repetitions,
                     uint64_t seed, const Backbone& backbone)
    : settings_(settings),
      gate_(settings, schedule, repetitions),
      history_(schedule, last_frames_for(settings.faststar)) {
  check_depth(settings, backbone.layers);
  method_ = make_token_reducer({.settings = settings_,
                                .gate = gate_,
                                .schedule = schedule,
                                .history = history_,
                                .seed = seed,
                                .embedding = backbone.embedding,
                                .layers = backbone.layers});
}

ReductionPlan Reduction::plan(const ReducedPass& pass, const Tensor& outcome) {
  history_.enter(pass.step, pass.summed);
  return outcome.defined() ? method_->plan_with_outcome(pass, outcome) : method_->plan(pass);
}

Tensor Reduction::update(const Step& step, const ReductionPlan& plan, const Tensor& summed, const Tensor& codes) const {
  const MaskedCodes masked{codes, plan.token_mask, plan.feature_mask};
  if (!predicts(settings_.faststar.restore)) return partial_update(summed, masked, settings_.faststar.pu_boundary);
  FeatureHistory::PreviousFrame previous;
  if (step.clip > 0) previous = history_.previous_frame(step);
  return update_with_predictions(summed, masked, previous, settings_.faststar);
}

}  // namespace faststar
