#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/model/reduce/selection.h"

/// What every method has to beat at equal counts.
namespace faststar {
namespace {

/// Keeps tokens at random, others in every pass.
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

}  // namespace

std::unique_ptr<TokenReducer> make_random(const ReductionContext& context) {
  return std::make_unique<RandomPruning>(context);
}

std::unique_ptr<TokenReducer> make_skip(const ReductionContext&) { return std::make_unique<Skip>(); }

}  // namespace faststar
