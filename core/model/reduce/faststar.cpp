#include "core/model/reduce/faststar.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "core/model/pyramid/codes.h"
#include "core/model/reduce/selection.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// Norms below it count as zero.
constexpr double kZeroNorm = 1e-8;

/// a b + c rounded once, as a fused multiply-add does, in ATen operations that no compiler can contract. float32.
/// The product is exact in float64; the sum is rounded to odd there, which makes the second rounding harmless.
/// Source: Boldo, Melquiond, "Emulation of FMA and correctly rounded sums" (IEEE TC 57, 2008).
Tensor multiply_add(const Tensor& a, const Tensor& b, const Tensor& c) {
  const Tensor product = a.to(at::kDouble) * b.to(at::kDouble);
  const Tensor addend = c.to(at::kDouble);
  const Tensor sum = product + addend;
  const Tensor shadow = sum - product;
  const Tensor error = (product - (sum - shadow)) + (addend - shadow);
  const Tensor bits = sum.view(at::kLong);
  const Tensor moves = error.ne(0).logical_and_(bits.bitwise_and(1).eq(0));
  const Tensor away_from_zero = error.gt(0).eq(sum.gt(0));
  const Tensor move = moves.to(at::kLong) * (away_from_zero.to(at::kLong) * 2 - 1);
  return (bits + move).view(at::kDouble).to(at::kFloat);
}

/// The correctly rounded square root, float32. The CPU library's own may be the number beside it; in float64 that is
/// too little to move the rounding.
Tensor square_root(const Tensor& x) { return x.to(at::kDouble).sqrt().to(at::kFloat); }

/// Sums over the channels of products of maps: left, right [n, 64, ...] -> [n, ...].
Tensor channel_products(const Tensor& left, const Tensor& right) {
  Tensor sum = at::zeros_like(left.select(1, 0));
  for (int64_t channel = 0; channel < left.size(1); ++channel) {
    sum = multiply_add(left.select(1, channel), right.select(1, channel), sum);
  }
  return sum;
}

/// Cosine of two maps [1, 64, T, H, W] at every position: [T, H, W].
Tensor cosine(const Tensor& a, const Tensor& b) {
  const Tensor products = channel_products(at::cat({a, a, b}), at::cat({b, a, b}));
  const Tensor norm_a = square_root(products[1]);
  const Tensor norm_b = square_root(products[2]);
  const Tensor zeros = norm_a.lt(kZeroNorm).to(at::kInt) + norm_b.lt(kZeroNorm).to(at::kInt);
  const Tensor similarity = products[0] / (norm_a * norm_b);
  return at::where(zeros.eq(0), similarity, zeros.eq(2).to(at::kFloat));
}

cuda::SimilarityNorm kernel_norm(NormDegree p) {
  switch (p) {
    case NormDegree::one: return cuda::SimilarityNorm::sum;
    case NormDegree::two: return cuda::SimilarityNorm::squares;
    default: return cuda::SimilarityNorm::largest;
  }
}

const float* data_or_null(const Tensor& map) { return map.defined() ? map.const_data_ptr<float>() : nullptr; }

/// FastSTAR (arXiv:2603.07192): prunes the tokens whose features have settled in space and time, before the backbone.
class FastStar final : public TokenReducer {
 public:
  explicit FastStar(const ReductionContext& context) : context_(context), options_(context.settings.faststar) {}

  bool wants_outcome() const override { return options_.scorer == Scorer::oracle; }

  ReductionPlan plan(const ReducedPass& pass, const Tensor& outcome) override {
    SimilarityMaps maps{pass.summed, context_.history.before_scale(), temporal_reference(pass.step)};
    if (outcome.defined()) maps = {outcome, pass.summed, maps.reference};
    if (options_.scorer == Scorer::spatial) maps.reference.reset();
    if (options_.scorer == Scorer::temporal && maps.reference.defined()) maps.previous.reset();
    const SimilarityScore similarity = similarity_score(maps, options_.p);
    ReductionPlan plan = choose_positions(context_, pass, similarity.score);
    plan.evidence = {maps, similarity};
    return plan;
  }

 private:
  /// The first video clip compares with the image clip, later ones with the same pass of the clip before where that was
  /// reduced, else with its finished map. Undefined in the image clip.
  Tensor temporal_reference(const Step& step) const {
    const Tensor same_pass = step.clip > 1 ? context_.history.entry_in_previous_clip(step) : Tensor();
    return same_pass.defined() ? same_pass : context_.history.finished_before(step.clip);
  }

  ReductionContext context_;
  const FastStarOptions& options_;
};

}  // namespace

SimilarityScore reference::similarity_score(const SimilarityMaps& maps, NormDegree p) {
  SimilarityScore result;
  const auto power_of_distance = [&](const Tensor& similarity) {
    const Tensor distance = (1 - similarity).clamp_min(0);
    return p == NormDegree::two ? distance * distance : distance;
  };
  if (maps.previous.defined()) {
    result.spatial = cosine(maps.previous, maps.current);
    result.score = power_of_distance(result.spatial);
  }
  if (maps.reference.defined()) {
    // As many frames as the clip has, the last one repeated.
    const Tensor frame = at::arange(maps.current.size(2), maps.reference.options().dtype(at::kLong));
    const Tensor matched = maps.reference.index_select(2, frame.clamp_max(maps.reference.size(2) - 1));
    result.temporal = cosine(maps.current, matched);
    const Tensor temporal = power_of_distance(result.temporal);
    if (!result.score.defined()) {
      result.score = temporal;
    } else {
      result.score = p == NormDegree::infinity ? at::maximum(result.score, temporal) : result.score + temporal;
    }
  }
  return result;
}

SimilarityScore similarity_score(const SimilarityMaps& maps, NormDegree p) {
  const auto fits = [&](const Tensor& map) {
    return !map.defined() || (map.scalar_type() == at::kFloat && map.dim() == 5 && map.size(1) == kFeatureChannels &&
                              map.size(3) == maps.current.size(3) && map.size(4) == maps.current.size(4));
  };
  TORCH_CHECK(maps.previous.defined() || maps.reference.defined(), "similarity_score: no map to compare with");
  TORCH_CHECK(fits(maps.current) && fits(maps.previous) && fits(maps.reference),
              "similarity_score: maps [1, 64, T, H, W] float32");
  if (!use_kernels(maps.current)) return reference::similarity_score(maps, p);
  const auto dense = [](const Tensor& map) { return map.defined() ? map.contiguous() : map; };
  const SimilarityMaps held{dense(maps.current), dense(maps.previous), dense(maps.reference)};
  const auto frame_of_positions = [&] { return at::empty(held.current.sizes().slice(2), held.current.options()); };
  SimilarityScore result;
  if (held.previous.defined()) result.spatial = frame_of_positions();
  if (held.reference.defined()) result.temporal = frame_of_positions();
  result.score = frame_of_positions();
  cuda::similarity_score({.current = data_or_null(held.current),
                          .previous = data_or_null(held.previous),
                          .reference = data_or_null(held.reference),
                          .spatial = result.spatial.defined() ? result.spatial.data_ptr<float>() : nullptr,
                          .temporal = result.temporal.defined() ? result.temporal.data_ptr<float>() : nullptr,
                          .score = result.score.data_ptr<float>(),
                          .frames = held.current.size(2),
                          .reference_frames = held.reference.defined() ? held.reference.size(2) : 1,
                          .positions_per_frame = held.current.size(3) * held.current.size(4),
                          .norm = kernel_norm(p),
                          .eps = static_cast<float>(kZeroNorm)},
                         kernel_stream({held.current, held.previous, held.reference}));
  return result;
}

Tensor reference::partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask) {
  const Scale full = {static_cast<int>(summed.size(2)), static_cast<int>(summed.size(3)),
                      static_cast<int>(summed.size(4))};
  return at::where(feature_mask.gt(0), summed + upsample_codes(codes, full), summed);
}

Tensor partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask) {
  TORCH_CHECK(
      summed.dim() == 5 && codes.dim() == 5 && summed.scalar_type() == at::kFloat && codes.scalar_type() == at::kFloat,
      "partial_update: summed [1, 64, t, H, W] and codes [1, d, t, h, w], float32");
  if (!use_kernels(summed)) return reference::partial_update(summed, codes, feature_mask);
  const Tensor dense = summed.contiguous(), dense_codes = codes.contiguous(), dense_mask = feature_mask.contiguous();
  Tensor updated = at::empty_like(dense);
  cuda::partial_update({.updated = updated.data_ptr<float>(),
                        .summed = dense.const_data_ptr<float>(),
                        .codes = dense_codes.const_data_ptr<float>(),
                        .feature_mask = dense_mask.const_data_ptr<uint8_t>(),
                        .frames = summed.size(2),
                        .height = summed.size(3),
                        .width = summed.size(4),
                        .bits = codes.size(1),
                        .rows = codes.size(3),
                        .columns = codes.size(4)},
                       kernel_stream({dense, dense_codes, dense_mask}));
  return updated;
}

std::unique_ptr<TokenReducer> make_faststar(const ReductionContext& context) {
  return std::make_unique<FastStar>(context);
}

}  // namespace faststar
