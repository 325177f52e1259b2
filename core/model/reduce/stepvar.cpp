#include <ATen/ATen.h>

#include "core/model/pyramid/codes.h"
#include "core/model/reduce/selection.h"

namespace faststar {
namespace {

/// Norms below it are those of a scale without structure.
constexpr double kNoStructure = 1e-12;
constexpr int kPowerIterations = 8;
/// Edge of the window of the local mean.
constexpr int64_t kWindow = 3;

/// Makes every token of the plan's pass be updated: pruned ones take the output of the nearest kept one.
void restore_from_nearest(ReductionPlan& plan, const ReducedPass& pass) {
  const int64_t tokens = pass.scale.tokens();
  const auto options = plan.kept.options();
  const Tensor row_of_token =
      at::zeros({tokens}, options).index_copy_(0, plan.kept, at::arange(plan.kept.size(0), options));
  plan.updated = at::arange(tokens, options);
  plan.source = row_of_token.index_select(0, nearest_marked(plan.token_mask));
  plan.token_mask = at::ones_like(plan.token_mask);
  plan.feature_mask = at::ones_like(plan.feature_mask);
}

/// StepVAR (arXiv:2603.01757): keeps tokens of strong structure and texture, fills the others from the nearest one.
/// Scores are those of the embedded tokens X = W x + b, computed on the 64 channels of x: the bias cancels, and
/// products of embeddings are x' (W' W) x.
class StepVar final : public TokenReducer {
 public:
  explicit StepVar(const ReductionContext& context) : context_(context), options_(context.settings.stepvar) {
    const Tensor weight = context.embedding.to(at::kFloat);
    gram_ = at::matmul(weight.t(), weight);
  }

  ReductionPlan plan(const ReducedPass& pass, const Tensor&) override {
    const Scale& scale = pass.scale;
    const Tensor score = options_.weight * normalised(structure(pass.input)) + normalised(texture(pass.input));
    ReductionPlan plan = choose_tokens(context_, pass, score.view({scale.t, scale.h, scale.w}));
    plan.evidence.similarity.score = score.view({scale.t, scale.h, scale.w});
    restore_from_nearest(plan, pass);
    return plan;
  }

 private:
  /// Length of each row of x in the embedding.
  Tensor embedded_squares(const Tensor& x) const { return (at::matmul(x, gram_) * x).sum(1); }

  /// Share of each token in the direction that varies most: [N].
  Tensor structure(const Tensor& input) const {
    const Tensor tokens = tokens_from_map(input)[0];  // [N, 64]
    const Tensor centred = tokens - tokens.mean(0);
    Tensor direction = centred[embedded_squares(centred).argmax()];
    Tensor length;
    for (int i = 0; i < kPowerIterations; ++i) {
      direction = at::matmul(centred.t(), at::matmul(centred, at::matmul(gram_, direction)));
      length = at::dot(direction, at::matmul(gram_, direction)).clamp_min(0).sqrt();
      direction = direction / length.clamp_min(kNoStructure);
    }
    const Tensor share = at::matmul(centred, at::matmul(gram_, direction)).abs();
    return at::where(length.lt(kNoStructure), 0.0f, share);
  }

  /// Squared distance of each token from the mean around it: [N].
  Tensor texture(const Tensor& input) const {
    const Tensor mean = window_sums(input) / window_sums(at::ones_like(input));
    return embedded_squares(tokens_from_map(input - mean)[0]);
  }

  /// Sums over the window around each token, as far as it is inside the frame.
  static Tensor window_sums(const Tensor& map) {
    constexpr int64_t kMargin = kWindow / 2;
    const Tensor padded = at::constant_pad_nd(map, {kMargin, kMargin, kMargin, kMargin});
    return at::avg_pool3d(padded, {1, kWindow, kWindow}, {1, 1, 1}, {0, 0, 0}, /*ceil_mode=*/false,
                          /*count_include_pad=*/true, /*divisor_override=*/1);
  }

  Tensor normalised(const Tensor& score) const {
    if (options_.normalize == StepVarNormalize::none) return score;
    const Tensor low = score.amin();
    return (score - low) / (score.amax() - low).clamp_min(kNoStructure);
  }

  ReductionContext context_;
  const StepVarOptions& options_;
  Tensor gram_;  // [64, 64]
};

}  // namespace

std::unique_ptr<TokenReducer> make_stepvar(const ReductionContext& context) {
  return std::make_unique<StepVar>(context);
}

}  // namespace faststar
