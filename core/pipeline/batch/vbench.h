#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/pipeline/batch/prompt_list.h"

/// What the VBench evaluators look up (github.com/Vchitect/VBench).
namespace faststar::vbench {

/// The folder of prompts and videos that serves a dimension of VBench 1 (dimension_to_folder.json); nothing for other
/// words.
std::optional<std::string_view> folder_of_dimension(std::string_view dimension);

/// True for the name of such a folder: also of a file of prompts_per_dimension/, without `.txt`.
bool is_folder(std::string_view name);

/// The folder below videos/ for an entry's dimension; empty where the evaluator wants one flat folder.
std::string folder(Benchmark benchmark, const std::string& dimension);

/// Videos a prompt: 5 (25 for temporal_flickering, whose static filter picks five), in VBench-2.0 3 (20 for Diversity).
int samples(Benchmark benchmark, std::string_view dimension);

/// `{prompt}-{index}.mp4`; VBench-2.0 cuts the prompt after 180 characters.
std::string file_name(Benchmark benchmark, const std::string& prompt, int index);

/// The crops of VBench-I2V's images: the folder ("16-9") nearest to width / height.
std::string_view image_crop_folder(double aspect);

}  // namespace faststar::vbench
