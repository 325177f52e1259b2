#pragma once
#include <map>
#include <memory>

#include "core/lab/train/feature_store.h"
#include "core/lab/train/gradient_step.h"
#include "core/lab/train/star_samples.h"

namespace faststar {

/// The order of both networks' weights in their one vector.
ParameterLayout star_layout(const StarArchitecture& star, const T5Architecture& t5);

/// A stage of text encoder and transformer, on features of a VAE that is done.
class StarStage {
 public:
  /// A VAE that is done: `weights` [N] in the order of vae_layout.
  struct Vae {
    const VaePlan& plan;
    Tensor weights;
  };
  StarStage(const TrainSetting& setting, const StarPlan& plan, const StarStageSettings& stage, const Vae& vae,
            const CaptionPool& pool, const StarSamples& samples, const ParameterLayout& layout, NetworkState& state);
  StarStage(const StarStage&) = delete;
  StarStage& operator=(const StarStage&) = delete;

  /// The stage for the loop; refers to this.
  StageTask task(const std::string& name);
  const Tensor& gradient() const { return context_.gradient; }

 private:
  /// The step for captions of one length.
  struct LengthStep {
    LengthStep(const StarStage& stage, int64_t text_length);
    StarBatch batch;
    StarObjective objective;
    GradientStep step;
  };

  void fill_batch(int64_t step, const FeatureStore::Choice& choice, StarBatch& batch);
  const Tensor& compute(int64_t step);
  LengthStep& step_for(int64_t text_length);
  void write_sample(const std::string& name, int64_t step) const;
  std::vector<PackedClip> clips() const;
  int64_t latents() const { return 1 + int64_t{stage_.video_clips} * plan_.latents_per_clip; }

  const TrainSetting& setting_;
  StarPlan plan_;
  StarStageSettings stage_;
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
