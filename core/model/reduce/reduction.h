#pragma once
#include <memory>

#include "core/model/reduce/token_reducer.h"

namespace faststar {

/// Token reduction during one run: decides which passes are reduced, asks the method how, and applies partial updates.
/// The loop over the passes (core/model/star/generator.cpp) calls plan, update and finish in this order.
class Reduction {
 public:
  /// `schedule` outlives the run; `repetitions` fit it. embedding: weight of the token embedding [C, 64]. Throws
  /// Error(usage) when the settings fit neither the schedule nor the depth.
  struct Backbone {
    Tensor embedding;
    int64_t layers = 0;
  };
  Reduction(const ReductionSettings& settings, const Schedule& schedule, const Repetitions& repetitions, uint64_t seed,
            const Backbone& backbone);

  /// Before the first pass: the finished map of the clip that the first one goes on from.
  void set_former(const Tensor& map) { history_.set_former(map); }

  bool reduces(const Step& step) const { return gate_.reduces(step); }
  bool skips(const Step& step) const { return gate_.skips(step); }
  bool wants_outcome() const { return method_->wants_outcome(); }
  /// See TokenReducer. `outcome` is defined when wants_outcome() is true.
  ReductionPlan plan(const ReducedPass& pass, const Tensor& outcome);
  LayerReducer* layers(const Step& step, int group) { return method_->layers(step, group); }
  void see_logits(const Step& step, const Tensor& logits) { method_->see_logits(step, logits); }
  /// The accumulated features after a reduced pass. codes [1, d, t, h, w], zero where nothing was drawn.
  Tensor update(const ReductionPlan& plan, const Tensor& summed, const Tensor& codes) const;
  /// Hears of every pass, reduced or not.
  void finish(const FeatureHistory::Update& update) { history_.record(update); }

 private:
  const ReductionSettings settings_;
  ReductionGate gate_;
  FeatureHistory history_;
  std::unique_ptr<TokenReducer> method_;
};

}  // namespace faststar
