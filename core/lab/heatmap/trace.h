#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

/// One reduced step of a run, as its trace holds it.
struct TracedStep {
  int64_t clip = 0;
  int64_t scale = 0;
  int64_t repetition = 0;
  Tensor token_mask;  ///< [T, h, w] uint8, 1 where a token was kept
  Tensor score;       ///< [T, H, W] float32, high where kept; undefined for methods that have none
  double kept_share() const;
};

/// The part of a file written by `--trace` that heatmaps need.
struct Trace {
  std::string origin;                 ///< the file, for messages
  std::string settings_json;          ///< of the run; empty when the file has none
  std::vector<int64_t> clip_latents;  ///< latent frames of each clip, in order
  std::vector<TracedStep> steps;      ///< the reduced ones, in order
};

/// Reads the tensors `step.NNN.token_mask` and `step.NNN.score`; NNN is the "index" of an entry of
/// `steps` in the JSON under the metadata key `faststar`, beside "clip", "scale", "repetition" and "grid" [T, h, w].
/// Throws Error(input) when the file is missing, damaged or not a trace, or has no reduced step.
Trace read_trace(const std::filesystem::path& path);

/// Which latent frame of the run a video frame belongs to.
struct LatentPlace {
  int64_t clip = 0;
  int64_t latent = 0;  ///< within the clip
};

/// One entry per frame: four frames per latent, but one for the single latent of an image clip at the start.
/// Throws Error(input) when the run has another number of frames.
std::vector<LatentPlace> place_frames(const Trace& trace, int64_t frames);

}  // namespace faststar
