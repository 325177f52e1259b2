#include "core/model/reduce/selection.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "core/base/device.h"
#include "core/model/reduce/token_grid.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// float32 -> int64 of the same order, within 32 bits. Zeros have one sign.
Tensor ordered_bits(const Tensor& values) {
  const Tensor bits = (values.nan_to_num(std::numeric_limits<double>::infinity()) + 0.0f).view(at::kInt).to(at::kLong);
  return at::where(bits.ge(0), bits, bits.bitwise_xor(0x7FFFFFFF));
}

/// A permutation that sorts `keys` from the largest down and leaves equals as they are.
Tensor descending(const Tensor& keys) {
  return std::get<1>(at::sort(keys, /*stable=*/true, /*dim=*/0, /*descending=*/true));
}

/// The tokens from the highest rank down: [N] int64.
Tensor ranked(const Ranking& ranking) {
  const int64_t count = ranking.score.size(0);
  const Tensor tokens = at::arange(count, ranking.score.options().dtype(at::kLong));
  const Tensor ties = reference::philox_words(ranking.step, RandomPurpose::tie_break, tokens, 4).select(1, 0);
  const Tensor order = descending(ordered_bits(ranking.score).__lshift__(32) + ties);
  if (!ranking.primary.defined()) return order;
  return order.index_select(0, descending(ordered_bits(ranking.primary).index_select(0, order)));
}

Selection select_top_kernel(const Ranking& ranking, int64_t keep) {
  const Tensor score = ranking.score.contiguous();
  const Tensor primary = ranking.primary.defined() ? ranking.primary.contiguous() : Tensor();
  const int64_t count = score.size(0);
  Selection selection{at::empty({keep}, score.options().dtype(at::kLong)),
                      at::empty({count}, score.options().dtype(at::kByte))};
  const cuda::Stream stream = kernel_stream({score, primary});
  const Tensor workspace = at::empty({cuda::select_top_workspace(count, stream)}, score.options().dtype(at::kByte));
  cuda::select_top({.score = score.const_data_ptr<float>(),
                    .primary = primary.defined() ? primary.const_data_ptr<float>() : nullptr,
                    .kept = selection.kept.data_ptr<int64_t>(),
                    .mask = selection.mask.data_ptr<uint8_t>(),
                    .workspace = workspace.data_ptr(),
                    .count = count,
                    .keep = keep,
                    .first_token = 0,
                    .hash_ties = true,
                    .seed = ranking.step.seed,
                    .stream_word = stream_word(ranking.step, RandomPurpose::tie_break),
                    .clip = static_cast<uint32_t>(ranking.step.clip)},
                   stream);
  return selection;
}

Selection select(const ReductionContext& context, const Step& step, const Tensor& score, const Tensor& primary,
                 int64_t keep) {
  return select_top({.score = score.reshape({-1}),
                     .primary = primary.defined() ? primary.reshape({-1}) : primary,
                     .step = context.random_step(step)},
                    keep);
}

/// The positions of the highest scores: [T, H, W] uint8.
Tensor mark_positions(const ReductionContext& context, const ReducedPass& pass, const Tensor& score) {
  const int64_t keep = context.gate.kept_of(score.numel(), pass.step);
  return select(context, pass.step, score, {}, keep).mask.view(score.sizes());
}

}  // namespace

Tensor marked_tokens(const Tensor& mask) { return mask.nonzero().squeeze(1); }

Selection reference::select_top(const Ranking& ranking, int64_t keep) {
  const Tensor kept = std::get<0>(ranked(ranking).narrow(0, 0, keep).sort());
  const Tensor mask = at::zeros({ranking.score.size(0)}, ranking.score.options().dtype(at::kByte));
  return {kept, mask.index_fill(0, kept, 1)};
}

Selection select_top(const Ranking& ranking, int64_t keep) {
  TORCH_CHECK(ranking.score.dim() == 1 && ranking.score.scalar_type() == at::kFloat && keep >= 0 &&
                  keep <= ranking.score.size(0),
              "select_top: score [N] float32, 0 <= keep <= N");
  if (use_kernels(ranking.score)) return select_top_kernel(ranking, keep);
  return reference::select_top(ranking, keep);
}

Selection select_tokens(const ReductionContext& context, const Step& step, const Tensor& score) {
  return select(context, step, score, {}, context.gate.kept_tokens(step));
}

ReductionPlan all_tokens(const ReducedPass& pass) {
  const auto ones = [&](const Scale& scale) {
    return at::ones({scale.t, scale.h, scale.w}, pass.summed.options().dtype(at::kByte));
  };
  ReductionPlan plan;
  plan.token_mask = ones(pass.scale);
  plan.feature_mask = ones(pass.full);
  return plan;
}

ReductionPlan choose_tokens(const ReductionContext& context, const ReducedPass& pass, const Tensor& score) {
  const Selection selection = select_tokens(context, pass.step, score);
  ReductionPlan plan;
  plan.kept = selection.kept;
  plan.token_mask = selection.mask.view(score.sizes());
  plan.feature_mask = spread_tokens(plan.token_mask, pass.full);
  return plan;
}

ReductionPlan keep_marked(const ReducedPass& pass, const Tensor& token_mask) {
  ReductionPlan plan;
  plan.kept = marked_tokens(token_mask.reshape({-1}));
  plan.token_mask = token_mask;
  plan.feature_mask = spread_tokens(token_mask, pass.full);
  return plan;
}

ReductionPlan choose_positions(const ReductionContext& context, const ReducedPass& pass, const Tensor& score) {
  const FastStarOptions& options = context.settings.faststar;
  const bool finest = pass.scale.h == pass.full.h && pass.scale.w == pass.full.w;
  // On the finest scale a token is a position: one selection, with the counts of tokens.
  if (finest) return choose_tokens(context, pass, score);
  if (options.mask_down == MaskDown::token_topk) return choose_tokens(context, pass, area_mean(score, pass.scale));
  const Tensor marked = mark_positions(context, pass, score);
  ReductionPlan plan;
  if (options.mask_down == MaskDown::area_topk) {
    const Tensor coverage = area_mean(marked.to(at::kFloat), pass.scale);
    const Selection selection =
        select(context, pass.step, area_mean(score, pass.scale), coverage, context.gate.kept_tokens(pass.step));
    plan.kept = selection.kept;
    plan.token_mask = selection.mask.view({pass.scale.t, pass.scale.h, pass.scale.w});
  } else {
    plan = keep_marked(pass, pick_positions(marked, pass.scale, Nearest::corner));
    // No token at all would leave nothing to run; the gate keeps at least one.
    if (plan.kept.size(0) == 0) plan = choose_tokens(context, pass, area_mean(score, pass.scale));
  }
  const bool by_token = options.pu_mask == UpdateMask::token;
  plan.feature_mask = by_token ? spread_tokens(plan.token_mask, pass.full) : marked;
  return plan;
}

}  // namespace faststar
