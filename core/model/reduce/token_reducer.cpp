#include "core/model/reduce/token_reducer.h"

#include "core/base/error.h"

namespace faststar {

ReductionPlan TokenReducer::plan_with_outcome(const ReducedPass& pass, const Tensor&) { return plan(pass); }

LayerReducer* TokenReducer::layers(const Step&, int) { return nullptr; }

void TokenReducer::see_logits(const Step&, const Tensor&) {}

std::unique_ptr<TokenReducer> make_token_reducer(const ReductionContext& context) {
  switch (context.settings.method) {
    case ReductionMethod::faststar: return make_faststar(context);
    case ReductionMethod::fastvar: return make_fastvar(context);
    case ReductionMethod::sparsevar: return make_sparsevar(context);
    case ReductionMethod::tome: return make_tome(context);
    case ReductionMethod::stepvar: return make_stepvar(context);
    case ReductionMethod::random: return make_random(context);
    case ReductionMethod::skip: return make_skip(context);
    case ReductionMethod::none: break;
  }
  return nullptr;
}

}  // namespace faststar
