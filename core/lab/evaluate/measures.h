#pragma once
#include <cstdint>
#include <vector>

#include "core/lab/evaluate/attributes.h"
#include "core/lab/evaluate/evaluated_model.h"
#include "core/lab/evaluate/held_out.h"

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
Reconstruction measure_reconstruction(const EvaluatedModel& model, const HeldOutClips& clips, int64_t count,
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
std::vector<ScaleScore> measure_bit_accuracy(const EvaluatedModel& model, const HeldOutClips& clips, int64_t count,
                                             int video_clips, const EvaluationListener& listener = {});

/// Generates a 2 s clip for each of the first `count` prompts, with seeds 0, 1, ..., and checks its attributes.
AttributeRates test_prompts(const EvaluatedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener = {});

/// The same with 1 s clips: half the length of the model's video clips.
AttributeRates test_one_second(const EvaluatedModel& model, const AttributeChecker& checker,
                               const HeldOutClips& prompts, int64_t count, const EvaluationListener& listener = {});

/// Attribute rates of the first and second halves of 4 s clips.
struct HalfRates {
  AttributeRates first;
  AttributeRates second;
};

/// Generates 4 s clips.
HalfRates test_long_prompts(const EvaluatedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener = {});

/// Results for the 2 s that a model adds to clips.
struct ContinuationScore {
  AttributeRates rates;
  ClipFidelity fidelity;  ///< to the true clips: motions of the world are deterministic
};

/// Continues the first 2 s of rendered clips and checks the 2 s that the model adds.
ContinuationScore test_continuations(const EvaluatedModel& model, const AttributeChecker& checker,
                                     const HeldOutClips& prompts, int64_t count,
                                     const EvaluationListener& listener = {});

/// The first 2 s of clip `index` continued by 2 s, decoded: [3, F, H, W].
Tensor continue_clip(const EvaluatedModel& model, const HeldOutClips& clips, int64_t index);

/// Attribute rates of the checker on rendered clips: compared with their own records, and with the records of the next
/// clip, which gives the rates of chance.
struct CheckerValidation {
  AttributeRates truth;
  AttributeRates shuffled;
};
CheckerValidation validate_checker(const AttributeChecker& checker, const HeldOutClips& clips, int64_t count,
                                   ClipPart part, const EvaluationListener& listener = {});

}  // namespace faststar
