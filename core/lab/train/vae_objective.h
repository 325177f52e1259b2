#pragma once
#include "core/base/tensor.h"
#include "core/lab/train/residual_quantizer.h"
#include "core/lab/train/training_step.h"
#include "core/lab/world/clip_renderer.h"
#include "core/model/vae/video_vae.h"

namespace faststar {

struct VaeLossWeights {
  double object = 1.5;               ///< extra weight of pixels that objects cover
  double near_object = 0;            ///< extra weight within 4 pixels and 4 frames of such a pixel, against halos
  double squared = 1;                ///< weight of squared differences: the larger, the more the worst pixels count
  double spatial_gradient = 0.5;     ///< differences of neighbouring pixels: edges
  double temporal_difference = 0.2;  ///< differences of neighbouring frames: motion
  double pooled = 0.5;               ///< 4x4 means: colour of areas
  double commitment = 0.5;           ///< distance between features and their quantised form
};

/// The reconstruction loss of decoded against true pixels [B, 3, F, H, W], F > 1; coverage [B, 1, F, H, W] in 0..1.
/// With d = decoded - true and w = 1 + object * coverage + near_object * (largest coverage nearby): mean
/// w (sqrt(d^2 + 1e-6) + squared * d^2) + spatial_gradient * mean w |spatial differences of d| + temporal_difference *
/// mean w |temporal ones| + pooled * mean |4x4-pooled d|. Returns a scalar. Source: embedded-model.md, section 4, which
/// has squared = 1 and near_object = 0.
Tensor reconstruction_loss(const Tensor& decoded, const Tensor& pixels, const Tensor& coverage,
                           const VaeLossWeights& weights);

/// How the codes between encoder and decoder are corrupted in training.
struct VaeNoise {
  double plain = 0.15;       ///< share of clips decoded from the features, without quantisation
  double flipped = 0.2;      ///< share of clips with wrong bits, in a noisy step
  double most_flips = 0.08;  ///< maximum probability of a wrong bit in them; it is uniform up to this
  double truncated = 0.06;   ///< share of clips whose pyramid ends early, in a noisy step
  int fewest_kept = 8;       ///< iterations of a pyramid that ends early, at least
};

/// Network, pyramid, loss and noise of the VAE's training.
struct VaePlan {
  VaeArchitecture architecture;
  PyramidShape pyramid;  ///< of full frames
  VaeLossWeights loss;
  VaeNoise noise;
  int64_t sample_frames = 33;  ///< of the clips that pictures show
};

/// Clips of one size.
struct ClipSize {
  int64_t clips = 0;
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;
};

/// Inputs of one VAE step: tensors on the training device, filled in place before every step.
struct VaeBatch {
  Tensor records;  ///< [B, K] of the clips (records_to_tensor)
  Tensor crop;     ///< [B, 4] uniform: where the crops are
  Tensor noise;    ///< [B, 4] uniform: is a clip flipped, how much, truncated, plain
  Tensor kept;     ///< [B] uniform: how early a truncated pyramid ends
  Tensor counter;  ///< [1] int64: CodeNoise
};

enum class CodesInLoop { clean, noisy };

/// decoder: the encoder, and so the codes of clips, stay as they are.
enum class TrainedPart { everything, decoder };

/// Render, encode, quantise, decode, compare.
class VaeObjective {
 public:
  struct Settings {
    VaePlan plan;
    ClipSize size;
    double near_object = 0.7;  ///< share of crops around an object
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
