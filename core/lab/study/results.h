#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/lock_file.h"
#include "core/lab/metrics/fidelity.h"
#include "core/lab/study/inputs.h"
#include "core/lab/study/measured_run.h"
#include "core/pipeline/batch/batch_items.h"

namespace faststar {

/// Difference of two videos, over the frames that a variant can change.
struct ClipDistance {
  double mse = 0;                   ///< over these frames, squared levels; 0: identical
  std::optional<double> psnr_mean;  ///< dB, mean over the frames that differ
  double ssim = 0;                  ///< mean
};

/// Which attributes of the caption are right in the clip.
struct SeenAttributes {
  bool background = false;
  bool objects = false;  ///< count, colours, shapes
  bool motion = false;   ///< of objects and camera
  bool all = false;
};

/// One variant on one prompt: a line of a results file.
struct StudyRecord {
  std::string setup;  ///< hash of everything that all variants share
  std::string run;    ///< see run_id; empty: made by a version that kept no such facts
  int64_t prompt = 0;
  std::string text;
  uint64_t seed = 0;
  std::string variant;
  VariantTexts settings;  ///< see StudyVariant
  int64_t tokens = 0;     ///< of all passes
  int64_t kept = 0;       ///< of these, computed
  GuidanceWork guidance;
  double text_ms = 0;
  double decode_ms = 0;
  std::vector<double> scale_ms;        ///< by scale; of the scales before the reduced ones the dense run's
  std::vector<PartTimes> part_ms;      ///< by scale, from a separate run; empty: not measured
  std::vector<Scale> scales;           ///< dense variant only
  std::vector<double> high_frequency;  ///< dense variant only: fraction by scale
  std::vector<double> flipped;         ///< by scale: see flipped_bits; empty where the arithmetic is the dense run's
  std::vector<ReducedPassRecord> passes;
  std::optional<ClipDistance> from_dense;   ///< empty for the dense variant
  std::optional<SeenAttributes> seen;       ///< prompts of the procedural world
  std::optional<ClipDistance> given_dense;  ///< first frame given: from the dense run
  std::optional<ClipDistance> given_truth;  ///< first frame given: from the rendered clip
  std::optional<ClipDistance> continued;    ///< the clips after the first video clip, which is that of the dense run
  std::string frames;                       ///< see frame_strip; empty: not kept

  double backbone_ms() const;
  double end_to_end_ms() const { return text_ms + backbone_ms() + decode_ms; }
};

/// One line of JSON, without newline.
std::string to_json_line(const StudyRecord& record);

/// Throws Error(input) starting with `where` when `line` was not written by to_json_line.
StudyRecord parse_record(const std::string& line, const std::string& where);

/// Times by scale, part by part: {"linear": [ms of scale 0, ...], ...}.
nlohmann::ordered_json parts_json(const std::vector<PartTimes>& by_scale);

/// What the names of a study's files begin with.
inline constexpr std::string_view kResultsStem = "results";
inline constexpr std::string_view kRunsStem = "runs";

/// "results.jsonl", or "results-2.jsonl" of the second of several processes.
std::string study_file_name(std::string_view stem, const Shard& shard);

/// The files of all processes, sorted.
std::vector<std::filesystem::path> study_files(const std::filesystem::path& folder, std::string_view stem);

/// All results in a folder: results.jsonl, and results-1.jsonl, results-2.jsonl, ... of processes that share a study. A
/// half-written last line is ignored. Throws Error(input) naming the line when one is damaged or made with another
/// setup than the first.
std::vector<StudyRecord> read_results(const std::filesystem::path& folder);

/// The results file of one process.
class ResultsFile {
 public:
  /// Creates the folder. Throws Error(output) when it cannot or when another process writes this part, like
  /// read_results, and Error(usage) when the folder has results of other prompts, settings or another setup.
  ResultsFile(std::filesystem::path folder, const Shard& shard, const std::string& setup,
              const std::vector<StudyPrompt>& prompts, const std::vector<StudyVariant>& variants);

  bool has(int64_t prompt, const std::string& variant) const { return done_.contains({prompt, variant}); }
  /// Appends a line and flushes it. Throws Error(output).
  void append(const StudyRecord& record);

 private:
  void check(const StudyRecord& record, const std::string& setup, const std::vector<StudyPrompt>& prompts,
             const std::vector<StudyVariant>& variants) const;

  std::filesystem::path folder_;
  std::filesystem::path file_;
  std::optional<LockFile> locks_;
  std::optional<LockFile::Held> lock_;
  std::set<std::pair<int64_t, std::string>> done_;
  std::ofstream stream_;
};

}  // namespace faststar
