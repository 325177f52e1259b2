#pragma once
#include "core/lab/train/residual_quantizer.h"
#include "core/lab/train/star_objective.h"
#include "core/model/star/generator.h"
#include "core/model/text/t5.h"

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
