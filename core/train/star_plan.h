#pragma once
#include "core/star/generator.h"
#include "core/text/t5.h"
#include "core/train/residual_quantizer.h"
#include "core/train/star_objective.h"

namespace faststar {

/// What is fixed about the training of text encoder and transformer.
struct StarPlan {
  StarArchitecture star;
  T5Architecture t5;
  PyramidShape pyramid;
  int latents_per_clip = 8;
  StarLossWeights loss;
  StarNoise noise;
  GenerationSettings generation;  ///< of samples
};

}  // namespace faststar
