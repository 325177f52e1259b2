#include "core/model/reduce/token_choice.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "core/model/reduce/token_grid.h"

namespace faststar {
namespace {

/// Selects in one pool or frame by frame. score [T, h, w]; primary the same or undefined; `keep` of a whole clip.
Selection select_in_pools(const ReductionContext& context, const Step& step, const Tensor& score, const Tensor& primary,
                          int64_t keep) {
  const int64_t pools = context.settings.topk_scope == TopKScope::frame ? score.size(0) : 1;
  const int64_t size = score.numel() / pools;
  std::vector<Tensor> kept;
  std::vector<Tensor> masks;
  for (int64_t pool = 0; pool < pools; ++pool) {
    const auto part = [&](const Tensor& map) {
      return map.defined() ? map.reshape({-1}).narrow(0, pool * size, size) : map;
    };
    const Selection selection = select_top({.score = part(score),
                                            .primary = part(primary),
                                            .tie_break = context.settings.tie_break,
                                            .step = context.random_step(step),
                                            .first_token = pool * size},
                                           keep / pools);
    kept.push_back(pool == 0 ? selection.kept : selection.kept + pool * size);
    masks.push_back(selection.mask);
  }
  return pools == 1 ? Selection{kept[0], masks[0]} : Selection{at::cat(kept), at::cat(masks)};
}

/// The positions of the highest scores: [T, H, W] uint8.
Tensor mark_positions(const ReductionContext& context, const ReducedPass& pass, const Tensor& score) {
  const int64_t pools = context.settings.topk_scope == TopKScope::frame ? score.size(0) : 1;
  const int64_t keep = pools * context.gate.kept_of(score.numel() / pools, pass.step);
  return select_in_pools(context, pass.step, score, {}, keep).mask.view(score.sizes());
}

/// The tokens that cover most marked positions, as many as the gate says.
Selection select_covered(const ReductionContext& context, const ReducedPass& pass, const Tensor& score,
                         const Tensor& marked) {
  return select_in_pools(context, pass.step, area_mean(score, pass.scale), area_mean(marked.to(at::kFloat), pass.scale),
                         context.gate.kept_tokens(pass.step));
}

bool same_size(const Scale& a, const Scale& b) { return a.h == b.h && a.w == b.w; }

/// A mask of tokens whose number depends on the marked positions; at least one token.
Tensor token_mask_of(const Tensor& marked, const Scale& scale, MaskDown how) {
  if (how == MaskDown::area_half) return area_mean(marked.to(at::kFloat), scale).gt(0.5).to(at::kByte);
  return pick_positions(marked, scale, how == MaskDown::nearest ? Nearest::corner : Nearest::centre);
}

}  // namespace

Selection select_tokens(const ReductionContext& context, const Step& step, const Tensor& score) {
  return select_in_pools(context, step, score, {}, context.gate.kept_tokens(step));
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
  // On the finest scale a token is a position: one selection, with the counts of tokens.
  if (options.mask_down == MaskDown::token_topk || same_size(pass.scale, pass.full)) {
    const bool finest = same_size(pass.scale, pass.full);
    return choose_tokens(context, pass, finest ? score : area_mean(score, pass.scale));
  }
  const Tensor marked = mark_positions(context, pass, score);
  ReductionPlan plan;
  if (options.mask_down == MaskDown::area_topk) {
    const Selection selection = select_covered(context, pass, score, marked);
    plan.kept = selection.kept;
    plan.token_mask = selection.mask.view({pass.scale.t, pass.scale.h, pass.scale.w});
  } else {
    plan = keep_marked(pass, token_mask_of(marked, pass.scale, options.mask_down));
    // No token at all would leave nothing to run; the gate keeps at least one.
    if (plan.kept.size(0) == 0) plan = choose_tokens(context, pass, area_mean(score, pass.scale));
  }
  const bool by_token = options.pu_mask == UpdateMask::token;
  plan.feature_mask = by_token ? spread_tokens(plan.token_mask, pass.full) : marked;
  return plan;
}

}  // namespace faststar
