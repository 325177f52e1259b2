#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "core/lab/world/world_settings.h"

namespace faststar {

/// What an arm of a study runs.
enum class ArmKind {
  dense,        ///< every token of every pass: what the others are compared with
  other_seed,   ///< dense from another seed: how far apart two videos of one prompt are
  noise_floor,  ///< dense with the reference operations: rounding alone
  reduced,
};

/// Settings by "key" or "section.key", where they differ from the defaults.
using ReductionTexts = std::map<std::string, std::string>;

/// One arm of a study.
struct StudyVariant {
  std::string name;
  ArmKind kind = ArmKind::reduced;
  ReductionSettings reduction;
  ReductionTexts settings;  ///< of `reduction`: what results are told apart by
};

/// Names of arms that every study has, and of the two that others are compared with in tables and plots.
inline constexpr const char* kDenseArm = "dense";
inline constexpr const char* kOtherSeedArm = "other seed";
inline constexpr const char* kNoiseFloorArm = "noise floor";
inline constexpr const char* kRandomArm = "random";
inline constexpr const char* kFastStarArm = "faststar";

/// dense, other seed, noise floor.
std::vector<StudyVariant> control_arms();

struct StudyFile {
  WorldSettings world;                 ///< what prompts of the procedural world speak of
  std::vector<StudyVariant> variants;  ///< in the order of the file
};

/// Reads a study's YAML: `world`, and `variants` and `beyond`, which name settings as the section `reduction` has them.
/// What a variant does not say is what `base` says. Throws Error(usage) naming file, line and key.
StudyFile read_study_file(const std::filesystem::path& file, const Settings& base);

/// The variants that `names` lists, with commas between; all when it is empty. Throws Error(usage) for a name that is
/// not there.
std::vector<StudyVariant> pick_variants(const std::vector<StudyVariant>& variants, const std::string& names);

}  // namespace faststar
