#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {

/// The accumulated features of a video, from which it can be decoded again.
struct SavedCodes {
  std::vector<Tensor> clips;         ///< each [1, 64, t, H, W] float32, on the CPU
  std::string command;               ///< that made them: "t2v", ...
  std::string settings_json;         ///< an object; everything that remakes them
  std::string vae_fingerprint = {};  ///< of the decoder that they are for; empty when its weights were random

  /// Their grid over all clips.
  Scale scale() const;
};

/// The accumulated features of a whole video, [1, 64, T, H, W], clip by clip: views.
std::vector<Tensor> split_clips(const Tensor& summed_codes, const Schedule& schedule);

/// Writes `summed_codes` [1, 64, T, H, W] clip by clip as `clip.N.summed_codes`; command and settings go into the
/// metadata. Throws Error(output).
void write_codes(const std::filesystem::path& file, const SavedCodes& codes, Existing existing);

/// Reads what write_codes wrote. Throws Error(input) naming what is missing or has another shape.
SavedCodes read_codes(const std::filesystem::path& file);

}  // namespace faststar
