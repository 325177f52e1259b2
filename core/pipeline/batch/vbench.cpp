#include "core/pipeline/batch/vbench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/utf8.h"

namespace faststar::vbench {
namespace {

struct DimensionFolder {
  std::string_view dimension;
  std::string_view folder;
};

constexpr std::array<DimensionFolder, 16> kFolders = {{
    {"subject_consistency", "subject_consistency"},
    {"background_consistency", "scene"},
    {"aesthetic_quality", "overall_consistency"},
    {"imaging_quality", "overall_consistency"},
    {"object_class", "object_class"},
    {"multiple_objects", "multiple_objects"},
    {"color", "color"},
    {"spatial_relationship", "spatial_relationship"},
    {"scene", "scene"},
    {"temporal_style", "temporal_style"},
    {"overall_consistency", "overall_consistency"},
    {"human_action", "human_action"},
    {"temporal_flickering", "temporal_flickering"},
    {"motion_smoothness", "subject_consistency"},
    {"dynamic_degree", "subject_consistency"},
    {"appearance_style", "appearance_style"},
}};

/// VBench-2.0 names its videos after `prompt[:180]`, Python characters.
std::string cut_prompt(const std::string& prompt) {
  constexpr size_t kCharacters = 180;
  if (find_invalid_utf8(prompt)) return prompt;  // refused later, as every prompt that is not text
  return encode_utf8(decode_utf8(prompt).substr(0, kCharacters));
}

}  // namespace

std::optional<std::string_view> folder_of_dimension(std::string_view dimension) {
  const auto found = std::ranges::find(kFolders, dimension, &DimensionFolder::dimension);
  if (found == kFolders.end()) return std::nullopt;
  return found->folder;
}

bool is_folder(std::string_view name) {
  return std::ranges::find(kFolders, name, &DimensionFolder::folder) != kFolders.end();
}

std::string folder(Benchmark benchmark, const std::string& dimension) {
  if (benchmark == Benchmark::vbench) return std::string(folder_of_dimension(dimension).value_or(""));
  return benchmark == Benchmark::vbench2 ? dimension : "";
}

int samples(Benchmark benchmark, std::string_view dimension) {
  if (benchmark == Benchmark::vbench2) return dimension == "Diversity" ? 20 : 3;
  return benchmark == Benchmark::vbench && dimension == "temporal_flickering" ? 25 : 5;
}

std::string file_name(Benchmark benchmark, const std::string& prompt, int index) {
  return fmt::format("{}-{}.mp4", benchmark == Benchmark::vbench2 ? cut_prompt(prompt) : prompt, index);
}

std::string_view image_crop_folder(double aspect) {
  struct Crop {
    std::string_view folder;
    double aspect;
  };
  constexpr std::array<Crop, 4> kCrops = {{{"1-1", 1.0}, {"8-5", 8.0 / 5}, {"7-4", 7.0 / 4}, {"16-9", 16.0 / 9}}};
  const auto distance = [aspect](const Crop& crop) { return std::abs(std::log(crop.aspect / aspect)); };
  return std::ranges::min_element(kCrops, {}, distance)->folder;
}

}  // namespace faststar::vbench
