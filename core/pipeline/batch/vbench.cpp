#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/pipeline/batch/batch_items.h"

namespace faststar::vbench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct DimensionFolder {
  std::string_view dimension;
  std::string_view folder;
};

/// VBench 1: which folder of prompts and videos serves a dimension (dimension_to_folder.json).
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

std::optional<std::string_view> folder_of_dimension(std::string_view dimension) {
  const auto found = std::ranges::find(kFolders, dimension, &DimensionFolder::dimension);
  if (found == kFolders.end()) return std::nullopt;
  return found->folder;
}

/// VBench-2.0 names its videos after `prompt[:180]`, Python characters.
std::string cut_prompt(const std::string& prompt) {
  constexpr size_t kCharacters = 180;
  if (find_invalid_utf8(prompt)) return prompt;  // refused later, like every prompt that is not UTF-8
  return encode_utf8(decode_utf8(prompt).substr(0, kCharacters));
}

json parse_array(const fs::path& path, const std::string& text) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    const size_t offset = std::min(error.byte, text.size());
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n') + 1;
    fail(ErrorKind::input, fmt::format("{}:{}: not valid JSON", path.string(), line));
  }
  if (!document.is_array() || document.empty()) {
    fail(ErrorKind::input, fmt::format("{}: expected a VBench prompt list ([{{\"prompt_en\": ...}}]), got {}",
                                       path.string(), document.is_array() ? "an empty list" : document.type_name()));
  }
  return document;
}

/// One entry of the array, and how messages name it.
struct JsonEntry {
  const json& value;
  std::string origin;

  [[noreturn]] void fail_key(const char* key, const char* expected, const std::string& got) const {
    fail(ErrorKind::input, fmt::format("{}: {}: expected {}, got {}", origin, key, expected, got));
  }
  std::optional<std::string> text(const char* key) const {
    if (!value.contains(key)) return std::nullopt;
    if (!value[key].is_string()) fail_key(key, "a string", value[key].type_name());
    return value[key].get<std::string>();
  }
};

std::vector<std::string> read_dimensions(const JsonEntry& entry, Benchmark benchmark) {
  constexpr const char* kExpected = "a list of names";
  std::vector<std::string> dimensions;
  const json& listed = entry.value.value("dimension", json::array());
  if (!listed.is_array()) entry.fail_key("dimension", kExpected, listed.type_name());
  for (const json& name : listed) {
    if (!name.is_string()) entry.fail_key("dimension", kExpected, name.type_name());
    dimensions.push_back(name.get<std::string>());
    if (benchmark == Benchmark::vbench && !folder_of_dimension(dimensions.back())) {
      entry.fail_key("dimension", "one of VBench's 16", dimensions.back());
    }
  }
  if (dimensions.empty()) entry.fail_key("dimension", kExpected, "nothing");
  return dimensions;
}

/// VBench-I2V has crops of its images: the folder ("16-9") nearest to width / height.
std::string_view image_crop_folder(double aspect) {
  struct Crop {
    std::string_view folder;
    double aspect;
  };
  constexpr std::array<Crop, 4> kCrops = {{{"1-1", 1.0}, {"8-5", 8.0 / 5}, {"7-4", 7.0 / 4}, {"16-9", 16.0 / 9}}};
  const auto distance = [aspect](const Crop& crop) { return std::abs(std::log(crop.aspect / aspect)); };
  return std::ranges::min_element(kCrops, {}, distance)->folder;
}

/// The given folder, its crop for this aspect, or VBench's own tree beside the list.
fs::path image_folder(const PromptListFiles& files) {
  const std::string_view crop = image_crop_folder(files.aspect);
  if (!files.images) return files.list.parent_path() / "data" / "crop" / crop;
  std::error_code ignored;
  return fs::is_directory(*files.images / crop, ignored) ? *files.images / crop : *files.images;
}

/// Older lists name no image where only the camera differs: "a pond, camera pans left" starts from "a pond.jpg".
std::string image_name(const JsonEntry& entry, const std::string& prompt) {
  const auto named = entry.text("image_name");
  return named ? *named : prompt.substr(0, prompt.rfind(", camera ")) + ".jpg";
}

Benchmark benchmark_of(const json& document) {
  const auto has_image = [](const json& value) { return value.contains("image_name"); };
  if (std::any_of(document.begin(), document.end(), has_image)) return Benchmark::vbench_i2v;
  const auto is_vbench1 = [](const json& value) {
    const json& listed = value.contains("dimension") ? value["dimension"] : json();
    return listed.is_array() && !listed.empty() && listed[0].is_string() &&
           folder_of_dimension(listed[0].get<std::string>());
  };
  return std::any_of(document.begin(), document.end(), is_vbench1) ? Benchmark::vbench : Benchmark::vbench2;
}

}  // namespace

std::string file_name(Benchmark benchmark, const std::string& prompt, int index) {
  return fmt::format("{}-{}.mp4", benchmark == Benchmark::vbench2 ? cut_prompt(prompt) : prompt, index);
}

std::string folder(Benchmark benchmark, const std::string& dimension) {
  if (benchmark == Benchmark::vbench) return std::string(folder_of_dimension(dimension).value_or(""));
  return benchmark == Benchmark::vbench2 ? dimension : "";
}

int samples(Benchmark benchmark, std::string_view dimension) {
  if (benchmark == Benchmark::vbench2) return dimension == "Diversity" ? 20 : 3;
  return benchmark == Benchmark::vbench && dimension == "temporal_flickering" ? 25 : 5;
}

bool is_folder(std::string_view name) {
  return std::ranges::find(kFolders, name, &DimensionFolder::folder) != kFolders.end();
}

PromptList parse_list(const PromptListFiles& files, const std::string& text) {
  const json document = parse_array(files.list, text);
  PromptList list{.benchmark = benchmark_of(document)};
  for (const json& value : document) {
    const JsonEntry source{value, fmt::format("{}: entry {}", files.list.string(), list.entries.size() + 1)};
    if (!value.is_object())
      fail(ErrorKind::input, fmt::format("{}: expected an object, got {}", source.origin, value.type_name()));
    const auto prompt = source.text("prompt_en");
    if (!prompt) source.fail_key("prompt_en", "a string", "nothing");
    PromptEntry& entry = list.entries.emplace_back();
    entry.origin = source.origin;
    entry.prompt = *prompt;
    entry.refined = source.text("refined_prompt");
    entry.dimensions = read_dimensions(source, list.benchmark);
    if (list.benchmark == Benchmark::vbench_i2v) {
      entry.options["image"] = (image_folder(files) / image_name(source, entry.prompt)).string();
    }
  }
  return list;
}

}  // namespace faststar::vbench
