#pragma once
#include <vector>

#include "core/lab/evaluate/clip_fidelity.h"
#include "core/lab/evaluate/held_out.h"
#include "core/lab/evaluate/tested_model.h"

namespace faststar {

/// What the VAE keeps of held-out clips.
struct Reconstruction {
  int64_t clips = 0;
  int64_t frames = 0;              ///< of a clip
  ClipFidelity plain;              ///< features decoded as they are
  ClipFidelity quantised;          ///< through the bits that the transformer predicts
  std::vector<double> frame_psnr;  ///< dB of each frame, quantised: of the mean error over clips
};

/// Encodes and decodes the first `count` of `clips`, each as long as an image clip and `video_clips` video clips.
Reconstruction measure_reconstruction(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                      int video_clips, const EvaluationListener& listener = {});

}  // namespace faststar
