#include "core/model/reduce/selection.h"

namespace faststar {
namespace {

/// FastSTAR (arXiv:2603.07192): prunes the tokens whose features have settled in space and time, before the backbone.
class FastStar final : public TokenReducer {
 public:
  explicit FastStar(const ReductionContext& context) : context_(context), options_(context.settings.faststar) {}

  bool wants_outcome() const override { return options_.scorer == Scorer::oracle; }

  ReductionPlan plan(const ReducedPass& pass, const Tensor& outcome) override {
    SimilarityMaps maps{pass.summed, context_.history.before_scale(), temporal_reference(pass.step)};
    if (outcome.defined()) maps = {outcome, pass.summed, maps.reference};
    if (options_.scorer == Scorer::spatial) maps.reference.reset();
    if (options_.scorer == Scorer::temporal && maps.reference.defined()) maps.previous.reset();
    const SimilarityScore similarity = similarity_score(maps, options_.p);
    ReductionPlan plan = choose_positions(context_, pass, similarity.score);
    plan.evidence = {maps, similarity};
    return plan;
  }

 private:
  /// The first video clip compares with the image clip, later ones with the same pass of the clip before where that was
  /// reduced, else with its finished map. Undefined in the image clip.
  Tensor temporal_reference(const Step& step) const {
    const Tensor same_pass = step.clip > 1 ? context_.history.entry_in_previous_clip(step) : Tensor();
    return same_pass.defined() ? same_pass : context_.history.finished_before(step.clip);
  }

  ReductionContext context_;
  const FastStarOptions& options_;
};

}  // namespace

std::unique_ptr<TokenReducer> make_faststar(const ReductionContext& context) {
  if (context.settings.faststar.scorer == Scorer::random) return make_random(context);
  return std::make_unique<FastStar>(context);
}

}  // namespace faststar
