#pragma once
#include <cstdint>
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/evaluate/held_out.h"
#include "core/lab/evaluate/tested_model.h"
#include "core/lab/world/clip_renderer.h"

namespace faststar {

/// Fidelity of clips to the rendered ones: means over clips, of the 8-bit frames.
struct ClipFidelity {
  double psnr = 0;         ///< dB
  double object_psnr = 0;  ///< dB, of the area covered by objects
  double ssim = 0;
};

/// Accumulates the fidelity of clips.
class ClipFidelitySum {
 public:
  /// decoded [3, F, H, W] floating-point in about [-1, 1]; rendered: a batch of one, same length and device.
  void add(const ClipBatch& rendered, const Tensor& decoded);

  ClipFidelity mean() const;
  /// PSNR of each frame, dB, of the MSE averaged over clips.
  std::vector<double> frame_psnr() const;

 private:
  ClipFidelity sum_;
  Tensor frame_mse_;  // [F] float64
  int64_t clips_ = 0;
};

/// Fidelity of the VAE on held-out clips.
struct Reconstruction {
  int64_t clips = 0;
  int64_t frames = 0;              ///< of a clip
  ClipFidelity plain;              ///< features without quantisation
  ClipFidelity quantised;          ///< features from the bits that the transformer predicts
  std::vector<double> frame_psnr;  ///< dB of each frame, quantised, of the MSE averaged over clips
};

/// Encodes and decodes the first `count` of `clips`, each as long as an image clip and `video_clips` video clips.
Reconstruction measure_reconstruction(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                      int video_clips, const EvaluationListener& listener = {});

/// How well the transformer predicts the bits of held-out clips at one scale, teacher-forced, without guidance and at
/// temperature 1.
struct ScaleScore {
  int clip = 0;  ///< 0 is the image clip
  Scale scale;
  double accuracy = 0;  ///< fraction of bits whose more probable value is the true one
  double nats = 0;      ///< cross-entropy per bit
};

/// Over the first `count` of `clips`, each as long as an image clip and `video_clips` video clips. One score per
/// scale, in the order of the schedule, over all repetitions.
std::vector<ScaleScore> measure_bit_accuracy(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                             int video_clips, const EvaluationListener& listener = {});

}  // namespace faststar
