#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "core/lab/evaluate/held_out.h"
#include "core/lab/world/world.h"

namespace faststar {

/// What one video of a study is made from.
struct StudyPrompt {
  int64_t index = 0;  ///< within the study, from 0
  std::string text;   ///< with suffix and duration tag
  uint64_t seed = 0;
  std::optional<ClipRecord> record;  ///< the scene described by a caption of the procedural world
};

/// Studies with different seeds share no prompt and no video seed: each has this many numbers of its own.
inline constexpr int64_t kPromptsPerSeed = 100'000;

/// `count` held-out captions of the procedural world.
std::vector<StudyPrompt> world_prompts(const HeldOutClips& clips, int64_t seed, int64_t count);

/// The given texts.
std::vector<StudyPrompt> listed_prompts(const std::vector<std::string>& texts, int64_t seed);

/// What a variant of a study runs.
enum class VariantKind {
  dense,        ///< every token and every guidance row of every pass: the baseline
  other_seed,   ///< dense with another seed: how much two videos of one prompt differ
  noise_floor,  ///< dense, on a GPU with the reference operations: the effect of rounding
  reduced,
};

/// Settings of token reduction and guidance reuse, precision and repetitions, by "key" or "section.key", where they
/// differ from the defaults.
using VariantTexts = std::map<std::string, std::string>;

/// One variant of a study.
struct StudyVariant {
  std::string name;
  VariantKind kind = VariantKind::reduced;
  ReductionSettings reduction;
  GuidanceReuseSettings reuse;
  std::optional<Precision> precision;     ///< none: that of the study
  std::optional<ScaleChoice> fp8_scales;  ///< of precision fp8
  std::vector<int> last_repetitions;      ///< of the last scales of video clips; empty: those of the study
  VariantTexts settings;                  ///< of all these; results with other settings are not mixed
};

/// The dense variant and the controls, and the two variants that tables and plots compare with.
inline constexpr const char* kDenseVariant = "dense";
inline constexpr const char* kOtherSeedVariant = "other seed";
inline constexpr const char* kNoiseFloorVariant = "noise floor";
inline constexpr const char* kRandomVariant = "random";
inline constexpr const char* kFastStarVariant = "faststar";

/// Whether a study runs its controls, other seed and noise floor: one of three runs of a small study.
enum class Controls { run, leave_out };

/// dense; with controls then other seed and noise floor.
std::vector<StudyVariant> control_variants(Controls controls = Controls::run);

struct StudyFile {
  WorldSettings world;  ///< which scenes --world draws
  Controls controls = Controls::run;
  std::vector<StudyVariant> variants;  ///< in the order of the file
};

/// Reads a study's YAML: `world`, `controls: false`, and in `variants` and `beyond` a name with keys of the section
/// `reduction`, and those of guidance reuse, `precision`, `fp8_scales` and `last_repetitions`, for each variant. Keys
/// that a variant leaves out are taken from `base`. Throws Error(usage) naming file, line and key.
StudyFile read_study_file(const std::filesystem::path& file, const Settings& base);

/// The variants in the comma-separated list `names`; all when it is empty. Throws Error(usage) for an unknown name.
std::vector<StudyVariant> pick_variants(const std::vector<StudyVariant>& variants, const std::string& names);

}  // namespace faststar
