#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config/settings.h"

namespace faststar {

/// One entry of a list.
struct PromptEntry {
  std::string origin;                   ///< "prompts.txt:3", for messages
  std::string prompt;                   ///< as the list has it, bytes unchanged; file names are made from it
  std::optional<std::string> refined;   ///< the longer text that the model gets instead
  std::vector<std::string> dimensions;  ///< of a benchmark; empty for a plain list
  FieldTexts options;                   ///< settings of this entry alone, by field name
};

/// The benchmark that a list belongs to; it decides names and counts (vbench.h).
enum class Benchmark { none, vbench, vbench_i2v, vbench2 };

struct PromptList {
  Benchmark benchmark = Benchmark::none;
  std::vector<PromptEntry> entries;
};

/// The files of a list.
struct PromptListFiles {
  std::filesystem::path list;
  std::optional<std::filesystem::path> refined;  ///< text file: line n is the long form of entry n
  std::optional<std::filesystem::path> images;   ///< folder with the images of a VBench-I2V list; none: beside the list
  double aspect = 16.0 / 9;                      ///< width / height: which crop of those images
};

/// Reads `.txt` (a prompt per line), `.json` (VBench, VBench-I2V, VBench-2.0) or `.jsonl` (a JSON object per line:
/// `prompt`, `refined_prompt`, and settings by name; file names are relative to the list). Blank lines are skipped.
/// Throws Error(input) naming file, line or entry, expected and got; Error(usage) for any other extension.
PromptList read_prompt_list(const PromptListFiles& files);

}  // namespace faststar
