#include <ATen/ATen.h>

#include "core/model/pyramid/codes.h"
#include "core/model/reduce/token_choice.h"
#include "core/model/reduce/token_merge.h"

namespace faststar {
namespace {

/// ToMe (arXiv:2210.09461) as it is placed in diffusion models (tomesd): each attention and MLP runs on merged tokens,
/// and every token takes the output of the one it went into. Or merges once before the backbone.
class ToMe final : public TokenReducer, public LayerReducer {
 public:
  explicit ToMe(const ReductionContext& context) : context_(context), options_(context.settings.tome) {}

  ReductionPlan plan(const ReducedPass& pass) override {
    partition_ = partition_tokens(options_, context_.random_step(pass.step), pass.scale, pass.input.device());
    ReductionPlan plan = all_tokens(pass);
    if (options_.scope == MergeScope::layer) return plan;
    const Tensor tokens = tokens_from_map(pass.input);
    const TokenMerge merge = match(pass.step, tokens[0]);
    plan.kept = merge.positions;
    plan.input = merge_tokens(merge, tokens, options_.merge_mode).transpose(1, 2);
    plan.updated = at::arange(pass.scale.tokens(), plan.kept.options());
    plan.source = merge.source;
    return plan;
  }

  LayerReducer* layers(const Step& step, int) override {
    if (options_.scope == MergeScope::backbone || !context_.gate.reduces(step)) return nullptr;
    step_ = step;
    return this;
  }

  Tensor run(const LayerSite&, const Tensor&, const Tensor& normed, const Branch& branch) override {
    const int64_t rows = context_.settings.cfg_mask == GuidanceRows::cond ? 1 : normed.size(0);
    // Rows side by side: the cosine of the joined vectors weighs every row.
    const TokenMerge merge = match(step_, normed.narrow(0, 0, rows).transpose(0, 1).flatten(1));
    return branch(merge_tokens(merge, normed, options_.merge_mode), merge.positions).index_select(1, merge.source);
  }

 private:
  TokenMerge match(const Step& step, const Tensor& features) const {
    return match_tokens(partition_, features, context_.gate.kept_tokens(step), context_.settings.tie_break,
                        context_.random_step(step));
  }

  ReductionContext context_;
  const ToMeOptions& options_;
  MergePartition partition_;
  Step step_;
};

}  // namespace

std::unique_ptr<TokenReducer> make_tome(const ReductionContext& context) { return std::make_unique<ToMe>(context); }

}  // namespace faststar
