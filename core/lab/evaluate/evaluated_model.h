#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/pipeline/pipeline.h"
#include "core/pipeline/request.h"

namespace faststar {

/// A model to evaluate: its pipeline, and how its preset generates.
struct EvaluatedModel {
  const Pipeline& pipeline;
  std::function<TextFeatures(const std::string& prompt)> encode_text;
  GenerationSettings generation;  ///< without the seed
  VideoSize size;                 ///< the number of frames is not used
  int detail_scale_min_tokens = 100;

  at::Device device() const { return pipeline.device(); }
};

/// The model as a shared request generates with it. `encode_text`: features of a prompt.
EvaluatedModel evaluated_model(const Pipeline& pipeline, const Request& request,
                               std::function<TextFeatures(const std::string& prompt)> encode_text);

/// The schedule of an image clip and `video_clips` video clips. Throws Error(usage) when its pictures do not have the
/// size of the procedural world.
Schedule world_schedule(const EvaluatedModel& model, int video_clips);

/// The schedule of an image clip and a video clip of half the length. Throws like world_schedule.
Schedule half_clip_schedule(const EvaluatedModel& model);

/// Bits of all steps of the clips that pixels [1, 3, F, H, W] hold.
std::vector<Tensor> bits_of(const EvaluatedModel& model, const Schedule& schedule, const Tensor& pixels);

/// Generates a video and decodes it: [3, F, H, W] float32, about [-1, 1]. `given`: bits of the first clips, or none.
Tensor generate_video(const EvaluatedModel& model, const Schedule& schedule, const std::string& prompt, uint64_t seed,
                      const std::vector<Tensor>& given = {});

}  // namespace faststar
