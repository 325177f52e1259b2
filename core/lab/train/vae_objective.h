#pragma once
#include "core/lab/train/objective.h"
#include "core/lab/train/residual_quantizer.h"
#include "core/lab/train/vae_loss.h"
#include "core/lab/world/clip_renderer.h"
#include "core/model/vae/video_vae.h"

namespace faststar {

/// How the codes between encoder and decoder are spoiled in training.
struct VaeNoise {
  double plain = 0.15;       ///< share of clips whose decoder sees the features themselves
  double flipped = 0.2;      ///< share of clips with wrong bits, in a noisy step
  double most_flips = 0.08;  ///< their probability of a wrong bit is uniform up to this
  double truncated = 0.06;   ///< share of clips whose pyramid ends early, in a noisy step
  int fewest_kept = 8;       ///< iterations of a pyramid that ends early, at least
};

/// Clips of one size.
struct ClipSize {
  int64_t clips = 0;
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;
};

/// What one VAE step reads. Tensors on the training device, filled in place before every step.
struct VaeBatch {
  Tensor records;  ///< [B, K] of the clips (records_to_tensor)
  Tensor crop;     ///< [B, 4] uniform: where the crops are
  Tensor noise;    ///< [B, 4] uniform: who is flipped, how much, who is truncated, who is plain
  Tensor kept;     ///< [B] uniform: how early a truncated pyramid ends
  Tensor counter;  ///< [1] int64: CodeNoise
};

enum class CodesInLoop { clean, noisy };

/// The decoder alone: what the encoder makes of clips stays as it is.
enum class TrainedPart { everything, decoder };

/// Render, encode, quantise, decode, compare.
class VaeObjective {
 public:
  struct Settings {
    VaeArchitecture architecture;
    PyramidShape pyramid;  ///< of full frames
    ClipSize size;
    double near_object = 0.7;  ///< share of crops around an object
    VaeLossWeights loss;
    VaeNoise noise;
    TrainedPart trained = TrainedPart::everything;
    at::ScalarType dtype = at::kBFloat16;  ///< of convolutions
    uint64_t seed = 0;
  };
  VaeObjective(const ClipRenderer& renderer, Settings settings, at::Device device);

  /// Statistics: loss, mean squared error of pixels, commitment, mean square of the features.
  BatchLoss operator()(const BoundParameters& parameters, const VaeBatch& batch, CodesInLoop codes) const;

  /// The factor for proj_down (and its inverse for proj_up) that gives features a mean square of 0.5: a scalar.
  Tensor feature_scale(const BoundParameters& parameters, const VaeBatch& batch) const;

  /// Random numbers that a step takes from its stream of code noise.
  int64_t draws() const;

  static const std::vector<std::string>& statistics();

 private:
  VideoVae vae(const BoundParameters& parameters) const;
  ClipBatch render(const VaeBatch& batch) const;
  Tensor encode(const VideoVae& network, const Tensor& pixels) const;
  Tensor noisy_codes(const Tensor& frames, const VaeBatch& batch) const;

  const ClipRenderer& renderer_;
  Settings settings_;
  ResidualQuantizer quantizer_;
};

}  // namespace faststar
