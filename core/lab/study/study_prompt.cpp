#include "core/lab/study/study_prompt.h"

namespace faststar {
namespace {

StudyPrompt numbered(int64_t index, int64_t seed) {
  return {.index = index, .text = {}, .seed = static_cast<uint64_t>(seed * kPromptsPerSeed + index), .record = {}};
}

}  // namespace

std::vector<StudyPrompt> world_prompts(const HeldOutClips& clips, int64_t seed, int64_t count) {
  std::vector<StudyPrompt> prompts;
  for (int64_t index = 0; index < count; ++index) {
    StudyPrompt& prompt = prompts.emplace_back(numbered(index, seed));
    const auto number = static_cast<int64_t>(prompt.seed);
    prompt.text = clips.prompt(number);
    prompt.record = clips.record(number);
  }
  return prompts;
}

std::vector<StudyPrompt> listed_prompts(const std::vector<std::string>& texts, int64_t seed) {
  std::vector<StudyPrompt> prompts;
  for (const std::string& text : texts) {
    prompts.push_back(numbered(static_cast<int64_t>(prompts.size()), seed));
    prompts.back().text = text;
  }
  return prompts;
}

}  // namespace faststar
