#include <ATen/ATen.h>

#include "core/model/reduce/selection.h"
#include "core/model/reduce/token_choice.h"

namespace faststar {
namespace {

/// FastSTAR (arXiv:2603.07192): prunes the tokens whose features have settled in space and time, before the backbone.
class FastStar final : public TokenReducer {
 public:
  explicit FastStar(const ReductionContext& context) : context_(context), options_(context.settings.faststar) {}

  bool wants_outcome() const override { return options_.scorer == Scorer::oracle; }

  ReductionPlan plan(const ReducedPass& pass) override {
    return plan_between(pass, {pass.summed, previous_map(), temporal_reference(pass)});
  }

  ReductionPlan plan_with_outcome(const ReducedPass& pass, const Tensor& outcome) override {
    return plan_between(pass, {outcome, pass.summed, temporal_reference(pass)});
  }

 private:
  ReductionPlan plan_between(const ReducedPass& pass, SimilarityMaps maps) {
    if (options_.scorer == Scorer::spatial) maps.reference.reset();
    if (options_.scorer == Scorer::temporal && maps.reference.defined()) maps.previous.reset();
    SimilarityScore similarity = similarity_score(maps, options_.p, options_.eps);
    similarity.score = adjusted_score(pass.step, similarity);
    ReductionPlan plan = choose_positions(context_, pass, similarity.score);
    remember(plan.feature_mask);
    plan.evidence = {maps, similarity};
    return plan;
  }

  const Tensor& previous_map() const {
    switch (options_.spatial_prev) {
      case SpatialPrevious::prev_iter: return context_.history.before_update();
      case SpatialPrevious::last_full: return context_.history.before_full();
      default: return context_.history.before_scale();
    }
  }

  /// Undefined where there is nothing to compare with: the image clip, or by choice.
  Tensor temporal_reference(const ReducedPass& pass) const {
    const int clip = pass.step.clip;
    const Tensor& finished = context_.history.finished_before(clip);
    if (!finished.defined()) return {};
    if (clip == 1) {
      switch (options_.temporal_ref_first) {
        case FirstReference::none: return {};
        case FirstReference::intra_clip: return frames_before(pass);
        case FirstReference::image_last_scale: break;
      }
      return finished;
    }
    switch (options_.temporal_ref) {
      case TemporalReference::prev_clip_last_scale: return match_length(finished, pass.full.t);
      case TemporalReference::prev_clip_last_frame: return finished.narrow(2, finished.size(2) - 1, 1);
      case TemporalReference::intra_clip: return frames_before(pass);
      case TemporalReference::prev_clip_same_scale: break;
    }
    const Tensor same_pass = context_.history.entry_in_previous_clip(pass.step);
    return match_length(same_pass.defined() ? same_pass : finished, pass.full.t);
  }

  /// Each frame's predecessor; the first frame's is the last one of the clip before.
  Tensor frames_before(const ReducedPass& pass) const {
    const Tensor& earlier = context_.history.finished_before(pass.step.clip);
    return at::cat({earlier.narrow(2, earlier.size(2) - 1, 1), pass.summed.narrow(2, 0, pass.full.t - 1)}, 2);
  }

  /// Scores clamp a frame number to the reference's last; resampling spreads the reference over the clip instead.
  Tensor match_length(const Tensor& reference, int frames) const {
    if (options_.t_match == FrameMatch::clamp || reference.size(2) == frames) return reference;
    const Tensor index = at::arange(frames, reference.options().dtype(at::kLong)) * reference.size(2);
    return reference.index_select(2, index.div(frames, "floor"));
  }

  /// The score with carried memory and normalised terms, where they are asked for.
  Tensor adjusted_score(const Step& step, const SimilarityScore& similarity) {
    const bool carries = options_.spatial_memory == SpatialMemory::carry && similarity.spatial.defined();
    if (!carries && options_.score_norm == ScoreNorm::none) return similarity.score;
    Tensor spatial;
    Tensor temporal;
    if (similarity.spatial.defined()) spatial = distance_of(similarity.spatial);
    if (similarity.temporal.defined()) temporal = distance_of(similarity.temporal);
    if (carries) spatial = with_memory(step, spatial);
    return join_distances(normalised(step, spatial), normalised(step, temporal), options_.p);
  }

  /// Positions that the last pass pruned have not moved since: they keep the distance they had then. A full pass moves
  /// all of them.
  Tensor with_memory(const Step& step, const Tensor& spatial) {
    const bool pruned = remembered_.defined() && step.clip == remembered_clip_ && !context_.history.last_was_full();
    remembered_ = pruned ? at::where(updated_.gt(0), spatial, remembered_) : spatial;
    remembered_clip_ = step.clip;
    return remembered_;
  }
  void remember(const Tensor& feature_mask) { updated_ = feature_mask; }

  Tensor normalised(const Step& step, const Tensor& distance) const {
    if (!distance.defined() || options_.score_norm == ScoreNorm::none) return distance;
    if (options_.score_norm == ScoreNorm::minmax) {
      const Tensor low = distance.amin();
      return (distance - low) / (distance.amax() - low).clamp_min(1e-9);
    }
    const Tensor order = ranked(
        {.score = distance.flatten(), .tie_break = context_.settings.tie_break, .step = context_.random_step(step)});
    const Tensor rank =
        at::arange(order.size(0), order.options()).flip(0).to(at::kFloat) / static_cast<double>(order.size(0));
    return at::empty_like(rank).index_copy_(0, order, rank).view(distance.sizes());
  }

  ReductionContext context_;
  const FastStarOptions& options_;
  Tensor remembered_;  ///< spatial distances of the last update, [T, H, W]
  Tensor updated_;     ///< where the last reduced pass changed the accumulated features
  int remembered_clip_ = -1;
};

}  // namespace

std::unique_ptr<TokenReducer> make_faststar(const ReductionContext& context) {
  if (context.settings.faststar.scorer == Scorer::random) return make_random(context);
  return std::make_unique<FastStar>(context);
}

}  // namespace faststar
