#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/pipeline/batch/prompt_list.h"

/// What the VBench evaluators expect: file names, folders, samples per prompt (github.com/Vchitect/VBench).
namespace faststar::vbench {

/// `{prompt}-{index}.mp4`; VBench-2.0 cuts the prompt after 180 characters.
std::string file_name(Benchmark benchmark, const std::string& prompt, int index);

/// The folder below videos/ for an entry's dimension; empty where the evaluator wants one flat folder.
std::string folder(Benchmark benchmark, const std::string& dimension);

/// Videos per prompt: 5 (25 for temporal_flickering, whose static filter picks five), in VBench-2.0 3 (20 for
/// Diversity).
int samples(Benchmark benchmark, std::string_view dimension);

/// True for a folder of VBench 1, which is also the name of a file in prompts_per_dimension/, without `.txt`.
bool is_folder(std::string_view name);

/// The entries of a VBench file, `text` being the content of `files.list`: an array of {prompt_en, dimension, ...}.
/// Keys that are not needed are skipped. Throws Error(input) naming the entry, expected and got.
PromptList parse_list(const PromptListFiles& files, const std::string& text);

}  // namespace faststar::vbench
