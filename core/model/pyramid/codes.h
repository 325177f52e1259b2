#pragma once
#include <vector>

#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {

/// Channels of the VAE's features and of the accumulated features.
inline constexpr int64_t kFeatureChannels = 64;
/// Bits per token of semantic (coarse) and detail (fine) scales.
inline constexpr int64_t kSemanticBits = 16;
inline constexpr int64_t kDetailBits = 64;

/// Bits -> codes of binary spherical quantisation: each bit becomes +-1/sqrt(d).
/// bits [1, t, h, w, d] uint8 -> [1, d, t, h, w] float32. Source: BSQ.indices_to_codes.
Tensor codes_from_bits(const Tensor& bits);

/// The sign test of binary spherical quantisation: 1 where the feature is above zero.
/// features [1, d, t, h, w] -> [1, t, h, w, d] uint8.
Tensor bits_from_features(const Tensor& features);

/// Codes at a scale's size -> their contribution to the accumulated features: linear interpolation over (channel, h,
/// w), frames untouched. codes [1, d, t, h, w] float32 -> [1, 64, t, full.h, full.w]. Source: `interpolate` of
/// infinity/schedules/infinity_elegant.py, mode trilinear.
Tensor upsample_codes(const Tensor& codes, const Scale& full);

/// Features -> `d` channels at a scale's size: means over (channel, h, w), frames untouched.
/// features [1, 64, t, H, W] float32 -> [1, d, t, scale.h, scale.w]. Source: as above, mode area.
Tensor downsample_features(const Tensor& features, int64_t d, const Scale& scale);

/// The accumulated features at a scale's size, the next input of the transformer: means over (h, w).
/// accumulated [1, 64, t, H, W] float32 -> [1, 64, t, scale.h, scale.w].
Tensor downsample_accumulated(const Tensor& accumulated, const Scale& scale);

/// Feature map -> tokens in (t, h, w) order: [1, C, t, h, w] -> [1, t h w, C].
Tensor tokens_from_map(const Tensor& map);

/// Bits of tokens -> bits of the grid: [t h w, d] -> [1, t, h, w, d].
Tensor grid_from_tokens(const Tensor& tokens, const Scale& scale);

/// Continuous features -> the bits that a run over the same schedule would have to predict for them, step by
/// step: each repetition quantises the difference between the features and the accumulated features so far.
/// features [1, 64, T, H, W] float32 of whole clips from the first one on; T selects how many clips are used.
/// A scale has 64 bits per token when h w >= detail_scale_min_tokens, else 16. Returns bits [1, t, h, w, d] uint8
/// for every step of those clips, in step order. Throws Error(usage) when T or (H, W) do not fit the schedule.
/// Source: video_encode / video_encode_global_bsc of infinity/schedules/infinity_elegant.py (inference mode).
std::vector<Tensor> condition_bits(const Tensor& features, const Schedule& schedule, const Repetitions& repetitions,
                                   int64_t detail_scale_min_tokens);

/// The accumulated features of given bits, clips joined in time: [1, 64, T, H, W] float32.
/// `bits` holds every step of the first clips of `schedule`.
Tensor accumulated_features(const std::vector<Tensor>& bits, const Schedule& schedule, const Repetitions& repetitions);

}  // namespace faststar
