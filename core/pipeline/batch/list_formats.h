#pragma once
// One reader a list format. Internal to core/batch.
#include <nlohmann/json_fwd.hpp>

#include "core/pipeline/batch/prompt_list.h"

namespace faststar {

struct TextLine {
  std::string origin;  ///< "prompts.txt:3"
  std::string text;    ///< without line end
};

/// The lines of a text file that hold something; a byte order mark and CRs of Windows are dropped.
/// Throws Error(input) when it cannot be read, is empty, or is no list (larger than 64 MiB).
std::vector<TextLine> read_text_lines(const std::filesystem::path& path);

/// The whole of a file. Throws Error(input).
std::string read_list_file(const std::filesystem::path& path);

/// "a number", "text", ...: what a message says was there.
std::string json_kind(const nlohmann::json& value);

/// A prompt a line. The lines of VBench's file for one dimension belong to that dimension.
PromptList read_text_list(const std::filesystem::path& path);

/// An array of {prompt_en, dimension, ...}; keys that are not needed are passed over, as VBench's files have many.
PromptList read_vbench_list(const PromptListFiles& files);

/// An object a line; unknown keys are errors that name the nearest known one.
PromptList read_jsonl_list(const std::filesystem::path& path);

}  // namespace faststar
