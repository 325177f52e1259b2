#pragma once
#include "core/lab/train/phase_loop.h"
#include "core/lab/train/vae_objective.h"

namespace faststar {

/// The order of the VAE's weights in its vector.
ParameterLayout vae_layout(const VaeArchitecture& architecture);

/// A phase of training the VAE or its decoder, on crops or full frames drawn anew for every step.
class VaePhase {
 public:
  VaePhase(const RunContext& run, const VaePlan& plan, const VaePhaseSettings& phase, TrainedPart trained,
           const ParameterLayout& layout, NetworkState& state);
  VaePhase(const VaePhase&) = delete;
  VaePhase& operator=(const VaePhase&) = delete;

  /// Before the first step from random weights: scales features to a mean square of 0.5, the range of the pyramid.
  void scale_features();

  /// The phase for the loop; refers to this.
  PhaseTask task(const std::string& name);
  const Tensor& gradient() const { return context_.gradient; }

 private:
  void fill_batch(int64_t step);
  const Tensor& compute(int64_t step);
  void write_sample(const std::string& name, int64_t step) const;

  const RunContext& run_;
  VaePlan plan_;
  VaePhaseSettings phase_;
  const ParameterLayout& layout_;
  NetworkState& state_;
  VaeObjective objective_;
  VaeBatch batch_;
  StepContext context_;
  GradientStep clean_, noisy_;
};

/// A picture with a row for each held-out clip: first, middle and last frame, original and reconstructed (encoded,
/// quantised and decoded with `average`).
Tensor reconstruction_sheet(const RunContext& run, const VaePlan& plan, const ParameterLayout& layout,
                            const Tensor& average);

}  // namespace faststar
