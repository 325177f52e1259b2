#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "core/model/reduce/selection.h"

namespace faststar {
namespace {

/// Anchors stand on every so many rows and columns, and on the last ones.
constexpr int64_t kAnchorStride = 4;

int64_t count_anchors(int64_t size) { return (size - 1 + kAnchorStride - 1) / kAnchorStride + 1; }

/// The nearest anchor at or before each of `size` places of an axis, and at or behind it: [size] int64 each.
std::array<Tensor, 2> anchors_around(int64_t size, at::Device device) {
  const Tensor place = at::arange(size, at::TensorOptions(device).dtype(at::kLong));
  const Tensor before = place.div(kAnchorStride, "floor") * kAnchorStride;
  const Tensor behind = (place + (kAnchorStride - 1)).div(kAnchorStride, "floor") * kAnchorStride;
  return {at::where(place.eq(size - 1), place, before), behind.clamp_max(size - 1)};
}

/// SparseVAR (arXiv:2503.24370): leaves out tokens whose hidden states hardly changed at the scale before; one that is
/// like an anchor near it takes the anchor's output, the others get no update.
class SparseVar final : public TokenReducer, public LayerReducer {
 public:
  explicit SparseVar(const ReductionContext& context)
      : context_(context),
        options_(context.settings.sparsevar),
        layers_(layer_range(options_.mse_layers, 18, 24, context.layers)) {}

  ReductionPlan plan(const ReducedPass& pass, const Tensor&) override {
    // One plan a scale: repetitions share it.
    if (!plan_ || planned_scale_ != pass.step.scale) plan_ = make_plan(pass);
    planned_scale_ = pass.step.scale;
    return *plan_;
  }

  LayerReducer* layers(const Step& step) override { return is_measured(step) ? this : nullptr; }

  /// Runs branches as they are and measures how hidden states change over the chosen layers.
  Tensor run(const LayerSite& site, const Tensor& residual, const Tensor& normed, const Branch& branch) override {
    const auto layer = static_cast<int64_t>(site.layer);
    if (layer == layers_.begin && site.op == LayerOp::attention) entry_ = residual;
    const Tensor output = branch(normed, {});
    if (layer == layers_.end - 1 && site.op == LayerOp::mlp) {
      change_ = (residual + output - entry_).to(at::kFloat).square().mean(-1).sum(0);
      entry_.reset();
    }
    return output;
  }

  void see_logits(const Step& step, const Tensor& logits) override {
    if (!is_measured(step)) return;
    const bool reduced = context_.gate.reduces(step);
    statistics_ = {context_.schedule.scales()[step.scale], on_grid(change_.unsqueeze(1), step, reduced, &plan_->kept),
                   on_grid(logits, step, reduced, &plan_->updated)};
  }

 private:
  /// What the scale before left: change [t, h', w', 1], logits [t, h', w', 2 d]; zero where nothing was computed.
  struct Statistics {
    Scale scale;
    Tensor change, logits;
  };

  bool is_measured(const Step& step) const {
    const int next = step.scale + 1;
    return step.last_repetition && next < static_cast<int>(context_.schedule.scales().size()) &&
           context_.schedule.clip_of(next) == step.clip && next >= context_.gate.first_reduced_scale(step.clip);
  }

  Tensor on_grid(const Tensor& rows, const Step& step, bool reduced, const Tensor* tokens) const {
    const Scale& scale = context_.schedule.scales()[step.scale];
    const Tensor all = reduced ? rows.new_zeros({scale.tokens(), rows.size(1)}).index_copy_(0, *tokens, rows) : rows;
    return all.view({scale.t, scale.h, scale.w, rows.size(1)});
  }

  ReductionPlan make_plan(const ReducedPass& pass) const {
    const Tensor change = pick_positions(statistics_.change, pass.scale, Nearest::corner).squeeze(-1);
    const Tensor anchors = anchor_mask(pass.scale, change.options());
    ReductionPlan plan = options_.ratio_mode == RatioMode::dynamic ? keep_changing(pass, change, anchors)
                                                                   : keep_most_changed(pass, change, anchors);
    plan.evidence.similarity.score = change;
    copy_anchors(plan, pass);
    return plan;
  }

  /// [t, h, w], 1 at anchors.
  Tensor anchor_mask(const Scale& scale, const at::TensorOptions& options) const {
    const auto marks = [&](int64_t size) {
      const auto [before, behind] = anchors_around(size, options.device());
      return before.eq(behind).to(options);
    };
    return at::outer(marks(scale.h), marks(scale.w)).expand({scale.t, -1, -1}).contiguous();
  }

  /// Native ratio: the tokens that changed by more than a share of the largest change, and the anchors.
  ReductionPlan keep_changing(const ReducedPass& pass, const Tensor& change, const Tensor& anchors) const {
    const Tensor marked = (change / change.amax().clamp_min(1e-30)).gt(options_.theta);
    return keep_marked(pass, marked.logical_or(anchors.gt(0)).to(at::kByte));
  }

  /// The counts of the gate, anchors first; more when there are more anchors.
  ReductionPlan keep_most_changed(const ReducedPass& pass, const Tensor& change, const Tensor& anchors) const {
    const int64_t anchor_count = pass.scale.t * count_anchors(pass.scale.h) * count_anchors(pass.scale.w);
    const int64_t keep = std::max(context_.gate.kept_tokens(pass.step), anchor_count);
    const Selection selection = select_top(
        {.score = change.flatten(), .primary = anchors.flatten(), .step = context_.random_step(pass.step)}, keep);
    return keep_marked(pass, selection.mask.view(change.sizes()));
  }

  /// Left-out tokens that are like one of the four anchors around them take its output.
  void copy_anchors(ReductionPlan& plan, const ReducedPass& pass) const {
    const Scale& scale = pass.scale;
    const Tensor logits = pick_positions(statistics_.logits, scale, Nearest::corner).reshape({scale.tokens(), -1});
    const Tensor unit = logits / logits.norm(2, {1}, true).clamp_min(1e-12);
    const Tensor kept_mask = plan.token_mask.flatten().gt(0);
    Tensor best = at::full({scale.tokens()}, options_.beta, unit.options());
    Tensor home = at::arange(scale.tokens(), plan.kept.options());
    for (const Tensor& anchor : surrounding_anchors(scale, plan.kept.options())) {
      const Tensor cosine = (unit * unit.index_select(0, anchor)).sum(1);
      const Tensor nearer = cosine.gt(best).logical_and_(kept_mask.index_select(0, anchor)).logical_and_(~kept_mask);
      best = at::where(nearer, cosine, best);
      home = at::where(nearer, anchor, home);
    }
    const Tensor updated = kept_mask.index_select(0, home);
    const Tensor row = kept_mask.cumsum(0) - 1;
    plan.updated = marked_tokens(updated);
    plan.source = row.index_select(0, home).index_select(0, plan.updated);
    plan.token_mask = updated.to(at::kByte).view({scale.t, scale.h, scale.w});
    plan.feature_mask = spread_tokens(plan.token_mask, pass.full);
  }

  /// For each token the anchors at the corners of the cell it stands in: four times [N] int64.
  std::vector<Tensor> surrounding_anchors(const Scale& scale, const at::TensorOptions& options) const {
    const Tensor frame = at::arange(scale.t, options).view({-1, 1, 1}) * (int64_t{scale.h} * scale.w);
    std::vector<Tensor> anchors;
    for (const Tensor& row : anchors_around(scale.h, options.device())) {
      for (const Tensor& column : anchors_around(scale.w, options.device())) {
        anchors.push_back((frame + row.view({1, -1, 1}) * int64_t{scale.w} + column).flatten());
      }
    }
    return anchors;
  }

  ReductionContext context_;
  const SparseVarOptions& options_;
  LayerRange layers_;
  Tensor entry_;   ///< hidden states at the first measured layer
  Tensor change_;  ///< [L] float32, summed over guidance rows
  Statistics statistics_;
  std::optional<ReductionPlan> plan_;
  int planned_scale_ = -1;
};

}  // namespace

std::unique_ptr<TokenReducer> make_sparsevar(const ReductionContext& context) {
  return std::make_unique<SparseVar>(context);
}

}  // namespace faststar
