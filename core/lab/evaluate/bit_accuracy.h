#pragma once
#include <vector>

#include "core/lab/evaluate/held_out.h"
#include "core/lab/evaluate/tested_model.h"

namespace faststar {

/// How well the transformer foresees the bits of held-out clips at one scale, every step given the true ones
/// before it; without guidance and at temperature 1.
struct ScaleScore {
  int clip = 0;  ///< 0 is the image clip
  Scale scale;
  double accuracy = 0;  ///< share of bits whose more probable value is the true one
  double nats = 0;      ///< cross-entropy of a bit
};

/// Over the first `count` of `clips`, each as long as an image clip and `video_clips` video clips. One score a scale,
/// in the schedule's order, over all repetitions.
std::vector<ScaleScore> measure_bit_accuracy(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                             int video_clips, const EvaluationListener& listener = {});

}  // namespace faststar
