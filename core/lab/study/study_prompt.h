#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/lab/evaluate/held_out.h"

namespace faststar {

/// What one video of a study is made from.
struct StudyPrompt {
  int64_t index = 0;  ///< within the study, from 0
  std::string text;   ///< as the model gets it
  uint64_t seed = 0;
  std::optional<ClipRecord> record;  ///< of the procedural world: what the text says
};

/// Prompts and seeds of studies with different seeds never meet: each has so many numbers of its own.
inline constexpr int64_t kPromptsPerSeed = 100'000;

/// `count` held-out captions of the procedural world.
std::vector<StudyPrompt> world_prompts(const HeldOutClips& clips, int64_t seed, int64_t count);

/// The given texts.
std::vector<StudyPrompt> listed_prompts(const std::vector<std::string>& texts, int64_t seed);

}  // namespace faststar
