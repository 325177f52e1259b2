#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/lab/metrics/fidelity.h"
#include "core/lab/study/arm.h"
#include "core/lab/study/variant.h"

namespace faststar {

/// How near a clip is to another one, over the frames after the first, which reduction leaves alone.
struct ClipDistance {
  double mse = 0;                   ///< over all these frames, squared levels; 0: identical
  std::optional<double> psnr_mean;  ///< dB, mean over the frames that differ
  double ssim = 0;                  ///< mean
};

/// Which attributes of the caption the clip shows.
struct SeenAttributes {
  bool background = false;
  bool objects = false;  ///< count, colours, shapes
  bool motion = false;   ///< of objects and camera
  bool all = false;
};

/// One arm on one prompt: a line of a results file.
struct StudyRecord {
  std::string setup;  ///< hash of all that arms share
  int64_t prompt = 0;
  std::string text;
  uint64_t seed = 0;
  std::string variant;
  ReductionTexts settings;  ///< see StudyVariant
  int64_t tokens = 0;       ///< of all passes
  int64_t kept = 0;         ///< of these, computed
  double text_ms = 0;
  double decode_ms = 0;
  std::vector<double> scale_ms;        ///< by scale; those before the reduced ones are the dense run's
  std::vector<PartTimes> part_ms;      ///< by scale, from a run of its own; empty: not measured
  std::vector<Scale> scales;           ///< dense arm only
  std::vector<double> high_frequency;  ///< dense arm only: share by scale
  std::vector<ReducedPassRecord> passes;
  std::optional<ClipDistance> from_dense;   ///< not of the dense arm
  std::optional<SeenAttributes> seen;       ///< prompts of the procedural world
  std::optional<ClipDistance> given_dense;  ///< first frame given: from the dense run
  std::optional<ClipDistance> given_truth;  ///< first frame given: from the rendered clip

  double backbone_ms() const;
  double end_to_end_ms() const { return text_ms + backbone_ms() + decode_ms; }
};

/// One line of JSON, without its end.
std::string to_json_line(const StudyRecord& record);

/// Throws Error(input) beginning with `where` for anything that to_json_line would not write.
StudyRecord parse_record(const std::string& line, const std::string& where);

}  // namespace faststar
