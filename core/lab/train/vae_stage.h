#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "core/lab/train/gradient_step.h"
#include "core/lab/train/network_state.h"
#include "core/lab/train/stage_loop.h"
#include "core/lab/train/training_random.h"
#include "core/lab/train/vae_objective.h"
#include "core/lab/train/workers.h"
#include "core/lab/world/clip_source.h"

namespace faststar {

/// Where every stage of a run works, and with what.
struct TrainSetting {
  const World& world;
  const ClipRenderer& renderer;
  at::Device device;
  at::ScalarType dtype = at::kBFloat16;  ///< of convolutions and matrix products
  Execution execution = Execution::eager;
  uint64_t seed = 0;
  Workers& workers;
  std::filesystem::path samples;         ///< folder for pictures
  int64_t sample_clips = 4;              ///< clips that a picture shows; 0: no pictures
  std::optional<int64_t> only_scenes{};  ///< draw no others than the first ones; none: new ones for ever

  /// Of what this process alone draws.
  uint64_t own_seed() const { return worker_seed(seed, workers.rank()); }
};

/// What is fixed about the VAE's training.
struct VaePlan {
  VaeArchitecture architecture;
  PyramidShape pyramid;  ///< of full frames
  VaeLossWeights loss;
  VaeNoise noise;
  int64_t sample_frames = 33;  ///< of the clips that pictures show
};

/// The order of the VAE's weights in its vector.
ParameterLayout vae_layout(const VaeArchitecture& architecture);

/// A stage of the VAE, or of its decoder: crops or full frames, drawn anew for every step.
class VaeStage {
 public:
  VaeStage(const TrainSetting& setting, const VaePlan& plan, const VaeStageSettings& stage, TrainedPart trained,
           const ParameterLayout& layout, NetworkState& state);
  VaeStage(const VaeStage&) = delete;
  VaeStage& operator=(const VaeStage&) = delete;

  /// Before the very first step: features get a mean square of 0.5, where the pyramid works.
  void scale_features();

  /// The stage for the loop; refers to this.
  StageTask task(const std::string& name);
  const Tensor& gradient() const { return context_.gradient; }

 private:
  void fill_batch(int64_t step);
  const Tensor& compute(int64_t step);
  void write_sample(const std::string& name, int64_t step) const;

  const TrainSetting& setting_;
  VaePlan plan_;
  VaeStageSettings stage_;
  const ParameterLayout& layout_;
  NetworkState& state_;
  VaeObjective objective_;
  VaeBatch batch_;
  StepContext context_;
  GradientStep clean_, noisy_;
};

/// Held-out clips and what is left of them after encoding, quantising and decoding with `average`: a picture with a
/// row a clip, first, middle and last frame of both.
Tensor reconstruction_sheet(const TrainSetting& setting, const VaePlan& plan, const ParameterLayout& layout,
                            const Tensor& average);

}  // namespace faststar
