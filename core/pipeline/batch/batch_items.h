#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/batch/prompt_list.h"

namespace faststar {

/// One video to make.
struct BatchItem {
  std::string file;    ///< below videos/, "scene/alley-0.mp4"; also its name in the manifest
  std::string origin;  ///< "prompts.txt:3", for messages
  std::string prompt;  ///< the short one, bytes unchanged
  std::string text;    ///< what the model gets, before tag and suffix
  int64_t seed = 0;
  FieldTexts options;   ///< settings of this item alone
  std::string problem;  ///< why it cannot be made under this name; empty when it can
};

/// How names and seeds follow from a list.
enum class BatchLayout {
  numbered,   ///< videos/0001-<slug>-<i>.mp4, in the order of the list
  benchmark,  ///< as the list's evaluator looks them up (vbench.h)
};

struct ItemRules {
  BatchLayout layout = BatchLayout::numbered;
  std::optional<int> samples;  ///< videos a prompt; none: 1, or the benchmark's own counts
  int64_t base_seed = 0;
  std::string ending = ".mp4";  ///< of numbered files
};

/// Every video of a list, in its order. Seed: base + prompt index * samples + sample index, modulo 2^32, where samples
/// is the list's usual count (temporal_flickering's 25 do not change it); an entry's own seed replaces base + prompt
/// index * samples. Two entries that mean the same file with the same text and settings make it once.
/// Throws Error(input) when they disagree, Error(usage) when a plain list is to be laid out as a benchmark and two of
/// its prompts are equal.
std::vector<BatchItem> list_items(const PromptList& list, const ItemRules& rules);

/// The first two items whose names differ in upper and lower case only: one file on some file systems.
std::optional<std::pair<std::string, std::string>> find_case_collision(const std::vector<BatchItem>& items);

}  // namespace faststar
