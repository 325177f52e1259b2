#pragma once
#include "core/config/preset.h"
#include "core/lab/train/star_plan.h"
#include "core/lab/train/train_settings.h"
#include "core/lab/train/vae_stage.h"

namespace faststar {

/// What a run trains: the preset of its model, and what follows from it and the settings.
struct TrainPlan {
  ModelPreset preset;
  VaePlan vae;
  StarPlan star;
  int64_t longest_text = 64;  ///< tokens of a caption
};

/// Reads the preset that `settings` name. Throws Error(usage) when there is none, or when it cannot be trained.
TrainPlan make_train_plan(const TrainSettings& settings);

}  // namespace faststar
