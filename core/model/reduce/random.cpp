#include <ATen/ATen.h>

#include "core/model/reduce/token_choice.h"

namespace faststar {
namespace {

/// Random pruning: what every score has to beat at equal counts.
class RandomPruning final : public TokenReducer {
 public:
  explicit RandomPruning(const ReductionContext& context) : context_(context) {}

  ReductionPlan plan(const ReducedPass& pass) override {
    const bool each_pass = context_.settings.random.resample == Resample::iter;
    const RandomStep clip{context_.seed, pass.step.clip, 0, 0};
    const Tensor score = each_pass ? field(context_.random_step(pass.step), pass.scale, pass.summed.device())
                                   : field(clip, pass.full, pass.summed.device());
    ReductionPlan plan = each_pass ? choose_tokens(context_, pass, score) : choose_positions(context_, pass, score);
    plan.evidence.similarity.score = score;
    return plan;
  }

 private:
  /// Uniform numbers keyed by position: [t, h, w].
  static Tensor field(const RandomStep& step, const Scale& scale, at::Device device) {
    const Tensor tokens = at::arange(scale.tokens(), at::TensorOptions(device).dtype(at::kLong));
    const Tensor uniform = philox_uniform(step, RandomPurpose::random_mask, tokens, 4).select(1, 0);
    return uniform.contiguous().view({scale.t, scale.h, scale.w});
  }

  ReductionContext context_;
};

}  // namespace

std::unique_ptr<TokenReducer> make_random(const ReductionContext& context) {
  return std::make_unique<RandomPruning>(context);
}

}  // namespace faststar
