#include "core/model/reduce/selection.h"

#include <ATen/ATen.h>

#include <limits>
#include <vector>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// The cells of a coarser axis over `full` positions, [cells] int64 each; cells may share a position.
struct Cells {
  Cells(int64_t cells, int64_t full, at::Device device) {
    const Tensor cell = at::arange(cells, at::TensorOptions(device).dtype(at::kLong));
    begin = (cell * full).div(cells, "floor");
    size = ((cell + 1) * full + (cells - 1)).div(cells, "floor") - begin;
  }
  Tensor begin;  ///< first position
  Tensor size;   ///< number of positions
};

Tensor picked_index(int64_t count, int64_t full, Nearest nearest, at::Device device) {
  const Tensor index = at::arange(count, at::TensorOptions(device).dtype(at::kLong));
  if (nearest == Nearest::corner) return (index * full).div(count, "floor");
  return ((index * 2 + 1) * full).div(2 * count, "floor");
}

/// For each frame the nearest one with a mark, the lower on a tie: [T] int64.
Tensor nearest_marked_frame(const Tensor& mask) {
  const Tensor frame = at::arange(mask.size(0), mask.options().dtype(at::kLong));
  const Tensor distance = (frame.unsqueeze(1) - frame.unsqueeze(0)).abs() * mask.size(0) + frame;
  const Tensor empty = mask.flatten(1).amax(1).eq(0);
  return distance.masked_fill(empty.unsqueeze(0), std::numeric_limits<int64_t>::max()).argmin(1);
}

/// Squared distance times N plus index, for each pair of cells of an h x w grid: [h w, h w] int64.
Tensor grid_distances(int64_t h, int64_t w, at::Device device) {
  const Tensor cell = at::arange(h * w, at::TensorOptions(device).dtype(at::kLong));
  const Tensor row = cell.div(w, "floor");
  const Tensor column = cell.remainder(w);
  const auto squares = [](const Tensor& axis) { return (axis.unsqueeze(1) - axis.unsqueeze(0)).square(); };
  return (squares(row) + squares(column)) * (h * w) + cell;
}

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

Selection select(const ReductionContext& context, const Step& step, const Tensor& score, const Tensor& primary,
                 int64_t keep) {
  return select_top({.score = score.reshape({-1}),
                     .primary = primary.defined() ? primary.reshape({-1}) : primary,
                     .step = context.random_step(step)},
                    keep);
}

/// The plan that keeps these tokens and updates the positions that they cover.
ReductionPlan keep_tokens(const ReducedPass& pass, const Tensor& kept, const Tensor& token_mask) {
  return {.kept = kept, .token_mask = token_mask, .feature_mask = spread_tokens(token_mask, pass.full)};
}

}  // namespace

Tensor reference::area_mean(const Tensor& map, const Scale& grid) {
  const Cells rows(grid.h, map.size(1), map.device());
  const Cells columns(grid.w, map.size(2), map.device());
  const int64_t height = rows.size.amax().item<int64_t>();
  const int64_t width = columns.size.amax().item<int64_t>();
  Tensor sum = at::zeros({map.size(0), grid.h, grid.w}, map.options());
  for (int64_t y = 0; y < height; ++y) {
    const Tensor line = map.index_select(1, (rows.begin + y).clamp_max(map.size(1) - 1));
    for (int64_t x = 0; x < width; ++x) {
      const Tensor inside = rows.size.gt(y).unsqueeze(1).logical_and(columns.size.gt(x));
      const Tensor values = line.index_select(2, (columns.begin + x).clamp_max(map.size(2) - 1));
      sum = at::where(inside, sum + values, sum);
    }
  }
  return sum / at::outer(rows.size, columns.size).to(at::kFloat);
}

Tensor area_mean(const Tensor& map, const Scale& grid) {
  TORCH_CHECK(map.dim() == 3 && map.scalar_type() == at::kFloat && map.size(0) == grid.t,
              "area_mean: map [T, H, W] float32");
  if (!use_kernels(map)) return reference::area_mean(map, grid);
  const Tensor dense = map.contiguous();
  Tensor mean = at::empty({grid.t, grid.h, grid.w}, map.options());
  cuda::area_mean({.map = dense.const_data_ptr<float>(),
                   .mean = mean.data_ptr<float>(),
                   .frames = grid.t,
                   .height = map.size(1),
                   .width = map.size(2),
                   .rows = grid.h,
                   .columns = grid.w},
                  kernel_stream({dense}));
  return mean;
}

Tensor pick_positions(const Tensor& map, const Scale& grid, Nearest nearest) {
  return map.index_select(1, picked_index(grid.h, map.size(1), nearest, map.device()))
      .index_select(2, picked_index(grid.w, map.size(2), nearest, map.device()));
}

Tensor spread_tokens(const Tensor& map, const Scale& full) {
  return pick_positions(map, {full.t, full.h, full.w}, Nearest::centre);
}

Tensor nearest_marked(const Tensor& mask) {
  const int64_t cells = mask.size(1) * mask.size(2);
  const Tensor distance = grid_distances(mask.size(1), mask.size(2), mask.device());
  const Tensor frame = nearest_marked_frame(mask);
  const Tensor unmarked = mask.flatten(1).index_select(0, frame).eq(0);  // [T, h w]
  std::vector<Tensor> nearest;
  for (int64_t t = 0; t < mask.size(0); ++t) {
    const Tensor candidates = distance.masked_fill(unmarked[t].unsqueeze(0), std::numeric_limits<int64_t>::max());
    nearest.push_back(candidates.argmin(1) + frame[t] * cells);
  }
  return at::cat(nearest);
}

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
  if (!use_kernels(ranking.score)) return reference::select_top(ranking, keep);
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
                    .seed = ranking.step.seed,
                    .stream_word = stream_word(ranking.step, RandomPurpose::tie_break),
                    .clip = static_cast<uint32_t>(ranking.step.clip)},
                   stream);
  return selection;
}

Selection select_tokens(const ReductionContext& context, const Step& step, const Tensor& score) {
  return select(context, step, score, {}, context.gate.kept_tokens(step));
}

ReductionPlan all_tokens(const ReducedPass& pass) {
  const auto ones = [&](const Scale& scale) {
    return at::ones({scale.t, scale.h, scale.w}, pass.summed.options().dtype(at::kByte));
  };
  return {.token_mask = ones(pass.scale), .feature_mask = ones(pass.full)};
}

ReductionPlan choose_tokens(const ReductionContext& context, const ReducedPass& pass, const Tensor& score) {
  const Selection selection = select_tokens(context, pass.step, score);
  return keep_tokens(pass, selection.kept, selection.mask.view(score.sizes()));
}

ReductionPlan keep_marked(const ReducedPass& pass, const Tensor& token_mask) {
  return keep_tokens(pass, marked_tokens(token_mask.reshape({-1})), token_mask);
}

ReductionPlan choose_positions(const ReductionContext& context, const ReducedPass& pass, const Tensor& score) {
  const FastStarOptions& options = context.settings.faststar;
  const bool finest = pass.scale.h == pass.full.h && pass.scale.w == pass.full.w;
  // On the finest scale a token is a position: one selection, with the counts of tokens.
  if (finest) return choose_tokens(context, pass, score);
  if (options.mask_down == MaskDown::token_topk) return choose_tokens(context, pass, area_mean(score, pass.scale));
  const int64_t positions = context.gate.kept_of(score.numel(), pass.step);
  const Tensor marked = select(context, pass.step, score, {}, positions).mask.view(score.sizes());
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
