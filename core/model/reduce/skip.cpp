#include "core/base/error.h"
#include "core/model/reduce/token_reducer.h"

namespace faststar {
namespace {

/// Leaves out whole scales at the end of the last clip. The gate decides which (ReductionGate::skips), so that no pass
/// is ever left to plan.
class Skip final : public TokenReducer {
 public:
  ReductionPlan plan(const ReducedPass&) override { fail(ErrorKind::internal, "skip: a pass that is not left out"); }
};

}  // namespace

std::unique_ptr<TokenReducer> make_skip(const ReductionContext&) { return std::make_unique<Skip>(); }

}  // namespace faststar
