#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/lab/train/star_data.h"
#include "core/lab/train/vae_phase.h"

namespace faststar {

/// Held-out captions, and sample clips generated for them during training.
class StarSamples {
 public:
  /// Takes run.sample_clips captions.
  StarSamples(const RunContext& run, const TrainPlan& plan, const Tokenizer& tokenizer);

  /// The captions, one a line.
  const std::string& captions() const { return captions_; }

  /// A picture with a row of frames for each caption: an image clip and `video_clips` more.
  Tensor sheet(const BoundParameters& parameters, const VideoVae& vae, int video_clips) const;

 private:
  const RunContext& run_;
  const TrainPlan& plan_;
  std::string captions_;
  std::vector<Tensor> ids_;  // [T] int64 each
};

/// The order of both networks' weights in their one vector.
ParameterLayout star_layout(const StarArchitecture& star, const T5Architecture& t5);

/// A phase of training text encoder and transformer, on the features of a trained VAE.
class StarPhase {
 public:
  /// The trained VAE; `weights` [N] in the order of vae_layout.
  struct Vae {
    const VaePlan& plan;
    Tensor weights;
  };
  StarPhase(const RunContext& run, const StarPlan& plan, const StarPhaseSettings& phase, const Vae& vae,
            const CaptionPool& pool, const StarSamples& samples, const ParameterLayout& layout, NetworkState& state);
  StarPhase(const StarPhase&) = delete;
  StarPhase& operator=(const StarPhase&) = delete;

  /// The phase for the loop; refers to this.
  PhaseTask task(const std::string& name);
  const Tensor& gradient() const { return context_.gradient; }

 private:
  /// The step for captions of one length.
  struct LengthStep {
    LengthStep(const StarPhase& phase, int64_t text_length);
    StarBatch batch;
    StarObjective objective;
    GradientStep step;
  };

  void fill_batch(int64_t step, const FeatureStore::Choice& choice, StarBatch& batch);
  const Tensor& compute(int64_t step);
  LengthStep& step_for(int64_t text_length);
  void write_sample(const std::string& name, int64_t step) const;
  std::vector<PackedClip> clips() const;
  int64_t latents() const { return 1 + int64_t{phase_.video_clips} * plan_.latents_per_clip; }

  const RunContext& run_;
  StarPlan plan_;
  StarPhaseSettings phase_;
  int64_t longest_text_;
  const StarSamples& samples_;
  const NetworkState& state_;
  ResidualQuantizer quantizer_;
  VideoVae vae_;
  FeatureStore features_;
  StepContext context_;
  StarBatch shared_;  // all but the ids, which differ in length
  std::map<int64_t, std::unique_ptr<LengthStep>> steps_;
};

}  // namespace faststar
