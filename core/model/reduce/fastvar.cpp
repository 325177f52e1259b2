#include <ATen/ATen.h>

#include <map>

#include "core/model/reduce/selection.h"

namespace faststar {
namespace {

/// FastVAR (cached token pruning, arXiv:2503.23367): each attention and MLP runs on the tokens that differ most from
/// the mean; the others take the branch's output of an earlier full pass, resized.
class FastVar final : public TokenReducer, public LayerReducer {
 public:
  explicit FastVar(const ReductionContext& context)
      : context_(context), layers_(layer_range(context.settings.fastvar.layers, 4, 31, context.layers)) {}

  ReductionPlan plan(const ReducedPass& pass, const Tensor&) override { return all_tokens(pass); }

  LayerReducer* layers(const Step& step) override {
    if (!context_.gate.reduces(step) && !is_cached(step)) return nullptr;
    step_ = step;
    return this;
  }

  Tensor run(const LayerSite& site, const Tensor& residual, const Tensor& normed, const Branch& branch) override {
    if (!layers_.contains(static_cast<int64_t>(site.layer))) return branch(normed, {});
    const Scale& scale = context_.schedule.scales()[step_.scale];
    if (!context_.gate.reduces(step_)) {
      const Tensor output = branch(normed, {});
      cache_[site] = {output, scale};
      return output;
    }
    const Tensor kept = select_tokens(context_, step_, score(residual, scale)).kept;
    Tensor output = resized(cache_.at(site), normed.size(0), scale);
    return output.index_copy_(1, kept, branch(normed.index_select(1, kept), kept));
  }

 private:
  struct CachedOutput {
    Tensor output;  // [B, t hc wc, C]
    Scale scale;
  };

  /// The full pass that later ones restore from: the last before the reduced scales.
  bool is_cached(const Step& step) const {
    const int source = context_.gate.first_reduced_scale(step.clip) - 1;
    return step.scale == source && step.last_repetition && step.clip == context_.schedule.clip_of(source + 1);
  }

  /// Squared distance of each token from the mean token, summed over the guidance batch: [t, h, w].
  Tensor score(const Tensor& residual, const Scale& scale) const {
    Tensor sum = at::zeros({scale.t, scale.h, scale.w}, residual.options().dtype(at::kFloat));
    for (int64_t row = 0; row < residual.size(0); ++row) {
      const Tensor tokens = residual[row].to(at::kFloat).view({scale.t, int64_t{scale.h} * scale.w, -1});
      const Tensor mean = tokens.mean(at::IntArrayRef{0, 1}, true);
      sum += (tokens - mean).square().sum(-1).view(sum.sizes());
    }
    return sum;
  }

  /// The first `rows` rows of the output at another size of its frames, area interpolation: [rows, t h w, C]. Guidance
  /// reuse may leave one row, which then serves all.
  static Tensor resized(const CachedOutput& cached, int64_t rows, const Scale& scale) {
    std::vector<Tensor> frames;
    const Tensor output =
        cached.output.size(0) < rows ? cached.output.expand({rows, -1, -1}) : cached.output.narrow(0, 0, rows);
    const Tensor maps = output.unflatten(1, {cached.scale.t, cached.scale.h, cached.scale.w}).flatten(0, 1);
    for (int64_t frame = 0; frame < maps.size(0); ++frame) {
      frames.push_back(at::adaptive_avg_pool2d(maps[frame].permute({2, 0, 1}), {scale.h, scale.w}).permute({1, 2, 0}));
    }
    return at::stack(frames).view({rows, scale.tokens(), -1});
  }

  ReductionContext context_;
  LayerRange layers_;
  Step step_;
  std::map<LayerSite, CachedOutput> cache_;
};

}  // namespace

std::unique_ptr<TokenReducer> make_fastvar(const ReductionContext& context) {
  return std::make_unique<FastVar>(context);
}

}  // namespace faststar
