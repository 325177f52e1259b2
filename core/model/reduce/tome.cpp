#include "core/model/reduce/tome.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/model/reduce/selection.h"

namespace faststar {
namespace {

/// Sources compared with all destinations at a time.
constexpr int64_t kMatchedRows = 8192;

MergePartition split(const Tensor& is_dst) { return {marked_tokens(is_dst), marked_tokens(is_dst.logical_not())}; }

/// For each source how like it its best destination is (the cosine, -1 for a zero vector; [S] float32), and the index
/// of that one among the destinations ([S] int64).
std::pair<Tensor, Tensor> best_matches(const MergePartition& partition, const Tensor& features) {
  const Tensor norm = features.to(at::kFloat).norm(2, {1}, true);
  const Tensor unit = (features / norm.clamp_min(1e-12)).to(features.scalar_type());
  const Tensor zero = norm.squeeze(1).eq(0);
  const Tensor targets = unit.index_select(0, partition.dst).t();
  const Tensor zero_targets = zero.index_select(0, partition.dst).unsqueeze(0);
  std::vector<Tensor> similarity;
  std::vector<Tensor> dst;
  for (const Tensor& rows : partition.src.split(kMatchedRows)) {
    const Tensor cosine = at::matmul(unit.index_select(0, rows), targets).to(at::kFloat);
    const Tensor unlike = zero.index_select(0, rows).unsqueeze(1).logical_or(zero_targets);
    const auto [best, index] = cosine.masked_fill(unlike, -1).max(1);
    similarity.push_back(best);
    dst.push_back(index);
  }
  return {at::cat(similarity), at::cat(dst)};
}

/// ToMe (arXiv:2210.09461) as it is placed in diffusion models (tomesd): each attention and MLP runs on merged tokens,
/// and every token takes the output of the one it went into.
class ToMe final : public TokenReducer, public LayerReducer {
 public:
  explicit ToMe(const ReductionContext& context) : context_(context) {}

  ReductionPlan plan(const ReducedPass& pass, const Tensor&) override {
    partition_ =
        partition_tokens(context_.settings.tome, context_.random_step(pass.step), pass.scale, pass.input.device());
    return all_tokens(pass);
  }

  LayerReducer* layers(const Step& step) override {
    if (!context_.gate.reduces(step)) return nullptr;
    step_ = step;
    return this;
  }

  Tensor run(const LayerSite&, const Tensor&, const Tensor& normed, const Branch& branch) override {
    // The rows of the guidance batch side by side: the cosine of the joined vectors weighs every row.
    const Tensor features = normed.transpose(0, 1).flatten(1);
    const TokenMerge merge =
        match_tokens(partition_, features, context_.gate.kept_tokens(step_), context_.random_step(step_));
    return branch(merge_tokens(merge, normed), merge.positions).index_select(1, merge.source);
  }

 private:
  ReductionContext context_;
  MergePartition partition_;
  Step step_;
};

}  // namespace

MergePartition partition_tokens(const ToMeOptions& tome, const RandomStep& step, const Scale& scale,
                                at::Device device) {
  const auto options = at::TensorOptions(device).dtype(at::kLong);
  if (tome.matching == Matching::alternate) return split(at::arange(scale.tokens(), options).remainder(2).eq(1));
  const int64_t st = std::min(tome.dst_stride[0], scale.t);
  const int64_t sh = std::min(tome.dst_stride[1], scale.h);
  const int64_t sw = std::min(tome.dst_stride[2], scale.w);
  const int64_t columns = scale.w / sw;
  const int64_t rows = scale.h / sh;
  const int64_t cells = scale.t / st * rows * columns;
  const Tensor cell = at::arange(cells, options);
  // For each whole cell, in (t, h, w) order, the number of its destination.
  const Tensor uniform = philox_uniform(step, RandomPurpose::merge_destination, cell, 4).select(1, 0);
  const Tensor member = (uniform * static_cast<double>(st * sh * sw)).to(at::kLong);
  const Tensor t = cell.div(rows * columns, "floor") * st + member.div(sh * sw, "floor");
  const Tensor h = cell.div(columns, "floor").remainder(rows) * sh + member.div(sw, "floor").remainder(sh);
  const Tensor w = cell.remainder(columns) * sw + member.remainder(sw);
  const Tensor token = (t * int64_t{scale.h} + h) * int64_t{scale.w} + w;
  return split(at::zeros({scale.tokens()}, options.dtype(at::kBool)).index_fill(0, token, true));
}

TokenMerge match_tokens(const MergePartition& partition, const Tensor& features, int64_t kept, const RandomStep& step) {
  const int64_t tokens = features.size(0);
  const auto [similarity, nearest] = best_matches(partition, features);
  const Selection merged = select_top({.score = similarity, .step = step}, tokens - kept);
  const Tensor gone = partition.src.index_select(0, merged.kept);
  const Tensor home = partition.dst.index_select(0, nearest.index_select(0, merged.kept));
  const auto options = partition.dst.options();
  const Tensor left = at::ones({tokens}, options.dtype(at::kBool)).index_fill(0, gone, false);
  const Tensor row = left.cumsum(0) - 1;
  return {left.nonzero().squeeze(1), row.index_copy(0, gone, row.index_select(0, home))};
}

Tensor merge_tokens(const TokenMerge& merge, const Tensor& tokens) {
  const Tensor rows = tokens.transpose(0, 1).to(at::kFloat).contiguous();  // [N, B, C]
  const int64_t kept = merge.positions.size(0);
  // index_put, unlike index_add, adds in a fixed order on a GPU.
  const Tensor sums = at::zeros({kept, rows.size(1), rows.size(2)}, rows.options())
                          .index_put_({merge.source}, rows, /*accumulate=*/true);
  const Tensor counts = at::bincount(merge.source, {}, kept).view({kept, 1, 1});
  return (sums / counts).transpose(0, 1).to(tokens.scalar_type());
}

std::unique_ptr<TokenReducer> make_tome(const ReductionContext& context) { return std::make_unique<ToMe>(context); }

}  // namespace faststar
