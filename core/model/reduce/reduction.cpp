#include "core/model/reduce/reduction.h"

#include "core/model/reduce/check.h"
#include "core/model/reduce/partial_update.h"

namespace faststar {

Reduction::Reduction(const ReductionSettings& settings, const Schedule& schedule, const Repetitions& repetitions,
                     uint64_t seed, const Backbone& backbone)
    : settings_(settings), gate_(settings, schedule, repetitions), history_(schedule) {
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

Tensor Reduction::update(const ReductionPlan& plan, const Tensor& summed, const Tensor& codes) const {
  return partial_update(summed, {codes, plan.token_mask, plan.feature_mask}, settings_.faststar.pu_boundary);
}

}  // namespace faststar
