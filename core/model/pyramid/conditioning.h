#pragma once
#include <vector>

#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {

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
