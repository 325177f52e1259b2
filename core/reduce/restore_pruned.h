#pragma once
#include "core/reduce/feature_history.h"
#include "core/reduce/partial_update.h"

/// Cheap predictions of what pruned tokens would have got, in place of nothing. None is in the paper.
namespace faststar {

/// The codes with those of pruned tokens predicted: codes [1, d, t, h, w] float32, zero where nothing was drawn,
/// token_mask [t, h, w] uint8. `area`: the mean of the drawn codes in the 3x3 tokens around it of its frame and the
/// two beside, zero without any. `temporal`: the code of its place in the nearest frame that drew one, the earlier of
/// two; zero without any.
Tensor predict_codes(const Tensor& codes, const Tensor& token_mask, PrunedTokens how);

/// The code sum after a reduced pass with pruned positions predicted as `how` says, any but keep and nearest.
/// summed [1, 64, t, H, W]. Where it takes the clip before and that had no such pass, pruned positions stay.
Tensor update_with_predictions(const Tensor& summed, const MaskedCodes& update,
                               const FeatureHistory::PreviousFrame& previous, const FastStarOptions& options);

}  // namespace faststar
