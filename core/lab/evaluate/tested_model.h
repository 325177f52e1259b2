#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model/star/generator.h"
#include "core/model/vae/video_vae.h"

namespace faststar {

/// A model to be judged: its loaded parts, all on one device, and how its preset has it generate. The parts must
/// outlive it.
struct TestedModel {
  const StarTransformer& transformer;
  const VideoVae& vae;                                           ///< encoder and decoder
  std::function<Tensor(const std::string& prompt)> encode_text;  ///< features [T, text_width] float32
  GenerationSettings generation;                                 ///< the seed is not looked at
  double aspect_key = 0.562;
  std::string pn = "0.06M";
  int latents_per_clip = 8;
  int64_t detail_scale_min_tokens = 100;

  at::Device device() const { return transformer.device(); }
};

/// The schedule of an image clip and `video_clips` video clips. Throws Error(usage) when its pictures do not have the
/// size of the procedural world.
Schedule schedule_of(const TestedModel& model, int video_clips);

/// The schedule of an image clip and a video clip of half the length. Throws like schedule_of.
Schedule half_clip_schedule(const TestedModel& model);

/// Bits of all steps of the clips that pixels [1, 3, F, H, W] hold.
std::vector<Tensor> bits_of(const TestedModel& model, const Schedule& schedule, const Tensor& pixels);

/// What one video is made of.
struct GenerationRequest {
  std::string prompt;
  uint64_t seed = 0;
  std::vector<Tensor> given;  ///< bits of the first clips, or none
  GenerationObserver* observer = nullptr;
};

/// What the model makes of a request: accumulated features [1, 64, T, h, w].
Tensor generate_codes(const TestedModel& model, const Schedule& schedule, const GenerationRequest& request);

/// All frames of codes [1, 64, T, h, w]: [3, F, H, W] float32, about [-1, 1].
Tensor decode_frames(const TestedModel& model, const Tensor& codes);

}  // namespace faststar
