#pragma once
#include <vector>

#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {

/// The scales that one clip's features are quantised at, coarsest first; t is not looked at.
struct PyramidShape {
  std::vector<Scale> scales;
  std::vector<int> repetitions;  ///< one entry a scale
  int semantic_scales = 0;       ///< scales with 16 bits a token; the others have 64

  int iterations() const;
  /// Bits of a token of scale k.
  int64_t bits(size_t k) const;
  /// The same pyramid on another full grid, every scale shrunk in proportion.
  PyramidShape shrunk_to(int height, int width) const;
};

/// Noise added to the codes, so that a network learns to cope with wrong ones.
struct CodeNoise {
  Tensor flip;     ///< [N] float32: probability that a bit is wrong
  Tensor kept;     ///< [N] float32: number of iterations that are used; undefined: all
  Tensor counter;  ///< [1] int64: where in the random stream the bits' draws start
  uint64_t seed = 0;
};

/// Inputs and targets at one repetition of every scale.
struct QuantizerTrace {
  std::vector<Tensor> inputs;   ///< [N, 64, h w]: the accumulated features at the scale's size, before the repetition
  std::vector<Tensor> targets;  ///< [N, d, h w] bool: the bits of the features
};

/// The multi-scale residual quantiser of core/model/pyramid over a batch of frames. The pyramid never mixes frames, so
/// that frames of any clips go in one batch. Its resampling is linear: the matrices are the operators of
/// core/model/pyramid/codes.h applied to unit vectors, and an iteration is a few matrix products instead of slow
/// interpolation kernels.
class ResidualQuantizer {
 public:
  ResidualQuantizer(PyramidShape shape, at::Device device);

  /// The accumulated features of features [N, 64, H W] float32. Not differentiable.
  Tensor quantize(const Tensor& features) const { return run(features, nullptr, Tensor(), nullptr); }
  /// The same with noise: later iterations see, and correct, what went wrong in earlier ones.
  Tensor quantize(const Tensor& features, const CodeNoise& noise) const {
    return run(features, &noise, Tensor(), nullptr);
  }
  /// Inputs and targets of one repetition of each scale; `repetition` [scales] int64 on the device says which.
  QuantizerTrace trace(const Tensor& features, const CodeNoise* noise, const Tensor& repetition) const;

  const PyramidShape& shape() const { return shape_; }
  at::Device device() const { return channels_down_.device(); }
  /// Random numbers that one call with noise takes from its stream.
  int64_t draws(int64_t frames) const { return frames * full_tokens_; }

 private:
  Tensor run(const Tensor& features, const CodeNoise* noise, const Tensor& repetition, QuantizerTrace* trace) const;
  Tensor area_down(size_t k, const Tensor& map) const;
  Tensor residual_bits(size_t k, const Tensor& residual) const;
  Tensor contribution(size_t k, const Tensor& bits) const;
  Tensor flipped(const Tensor& bits, const CodeNoise& noise, int scale, int repetition) const;

  PyramidShape shape_;
  int64_t full_tokens_ = 0;
  std::vector<Tensor> down_;  // [H W, h w] a scale; undefined for the last
  std::vector<Tensor> up_;    // [h w, H W] a scale; undefined for the last
  Tensor channels_down_;      // [16, 64]
  Tensor channels_up_;        // [64, 16]
};

/// Frames of a batch of clips, [B, 64, T, H, W] -> [B T, 64, H W], and back.
Tensor frames_from_clips(const Tensor& features);
Tensor clips_from_frames(const Tensor& frames, int64_t clips, int64_t height, int64_t width);

}  // namespace faststar
