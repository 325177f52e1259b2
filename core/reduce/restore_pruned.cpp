#include "core/reduce/restore_pruned.h"

#include <ATen/ATen.h>

namespace faststar {
namespace {

/// Sums over the 3x3x3 tokens around each: [1, d, t, h, w].
Tensor sum_around(const Tensor& map) {
  constexpr int64_t kEdge = 3;
  // Padded beforehand: the pool refuses grids that are smaller than itself.
  return at::avg_pool3d(at::constant_pad_nd(map, {1, 1, 1, 1, 1, 1}), {kEdge, kEdge, kEdge}, /*stride=*/1,
                        /*padding=*/0, /*ceil_mode=*/false, /*count_include_pad=*/true, /*divisor_override=*/1);
}

Tensor mean_around(const Tensor& codes, const Tensor& drawn) {
  return sum_around(codes) / sum_around(drawn.to(codes.scalar_type())).clamp_min(1);
}

/// For each place the nearest frame that `drawn` [t, h, w] marks there, the earlier of two; its own without any.
Tensor nearest_drawn_frame(const Tensor& drawn) {
  const int64_t frames = drawn.size(0);
  const Tensor numbers = at::arange(frames, drawn.options().dtype(at::kLong));
  const Tensor distance = (numbers.unsqueeze(1) - numbers.unsqueeze(0)).abs();  // [t, other]
  const Tensor far = at::where(drawn.gt(0).unsqueeze(0), distance.view({frames, frames, 1, 1}), 2 * frames);
  // Twice the distance, plus one for later frames: a strict order.
  const Tensor later = numbers.unsqueeze(0).gt(numbers.unsqueeze(1)).view({frames, frames, 1, 1});
  return (2 * far + later).argmin(1);  // [t, h, w]
}

Tensor code_of_nearest_frame(const Tensor& codes, const Tensor& drawn) {
  const Tensor frame = nearest_drawn_frame(drawn);
  return codes.gather(2, frame.view({1, 1, frame.size(0), frame.size(1), frame.size(2)}).expand_as(codes));
}

}  // namespace

Tensor predict_codes(const Tensor& codes, const Tensor& token_mask, PrunedTokens how) {
  const Tensor drawn = token_mask.view({1, 1, token_mask.size(0), token_mask.size(1), token_mask.size(2)});
  const Tensor predicted =
      how == PrunedTokens::area ? mean_around(codes, drawn) : code_of_nearest_frame(codes, token_mask);
  return at::where(drawn.gt(0), codes, predicted);
}

Tensor update_with_predictions(const Tensor& summed, const MaskedCodes& update,
                               const FeatureHistory::PreviousFrame& previous, const FastStarOptions& options) {
  if (options.restore == PrunedTokens::area || options.restore == PrunedTokens::temporal) {
    const Tensor codes = predict_codes(update.codes, update.token_mask, options.restore);
    return partial_update(summed, {codes, at::ones_like(update.token_mask), at::ones_like(update.feature_mask)},
                          UpdateBoundary::zero);
  }
  const Tensor updated = partial_update(summed, update, options.pu_boundary);
  if (!previous.update.defined()) return updated;
  const Tensor predicted =
      options.restore == PrunedTokens::previous_update ? summed + previous.update : previous.finished.expand_as(summed);
  return at::where(update.feature_mask.gt(0), updated, predicted);
}

}  // namespace faststar
