#include "core/lab/bench/pass_shapes.h"

#include <algorithm>

#include "core/model/pyramid/codes.h"

namespace faststar {

std::vector<CountedShape> pass_shapes(const Plan& plan) {
  const Workload& work = plan.work;
  std::vector<CountedShape> shapes;
  for (const Step& step : steps_to_run(work)) {
    const int64_t tokens = tokens_of(work, step);
    if (tokens == 0) continue;
    const bool semantic = work.schedule.index_in_clip(step.scale) < plan.request.generation.semantic_scales;
    const PassShape shape{.rows = work.guidance_rows.of(step),
                          .tokens = tokens,
                          .keys = tokens + context_tokens(work, step),
                          .bits = semantic ? kSemanticBits : kDetailBits};
    const auto found = std::ranges::find(shapes, shape, &CountedShape::shape);
    if (found == shapes.end()) {
      shapes.push_back({shape, 1});
    } else {
      ++found->passes;
    }
  }
  return shapes;
}

}  // namespace faststar
