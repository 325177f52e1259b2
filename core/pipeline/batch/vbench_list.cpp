#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/pipeline/batch/list_formats.h"
#include "core/pipeline/batch/vbench.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

json parse_array(const fs::path& path) {
  const std::string text = read_list_file(path);
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    const size_t place = std::min(error.byte, text.size());
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(place), '\n') + 1;
    fail(ErrorKind::input, fmt::format("{}:{}: expected JSON, got something else", path.string(), line));
  }
  if (!document.is_array() || document.empty()) {
    fail(ErrorKind::input,
         fmt::format("{}: expected a list of prompts as VBench has them ([{{\"prompt_en\": ...}}]), got {}",
                     path.string(), document.is_array() ? "an empty one" : json_kind(document)));
  }
  return document;
}

/// One entry of the array, and how messages name it.
struct JsonEntry {
  const json& value;
  std::string origin;

  [[noreturn]] void fail_kind(const char* key, const char* expected, const std::string& got) const {
    fail(ErrorKind::input, fmt::format("{}: {}: expected {}, got {}", origin, key, expected, got));
  }
  std::optional<std::string> text(const char* key) const {
    if (!value.contains(key)) return std::nullopt;
    if (!value[key].is_string()) fail_kind(key, "text", json_kind(value[key]));
    return value[key].get<std::string>();
  }
};

std::vector<std::string> read_dimensions(const JsonEntry& entry) {
  std::vector<std::string> dimensions;
  const json& listed = entry.value.value("dimension", json::array());
  if (!listed.is_array()) entry.fail_kind("dimension", "a list of names", json_kind(listed));
  for (const json& name : listed) {
    if (!name.is_string()) entry.fail_kind("dimension", "a list of names", json_kind(name));
    dimensions.push_back(name.get<std::string>());
  }
  if (dimensions.empty()) entry.fail_kind("dimension", "a list of names", "nothing");
  return dimensions;
}

/// Where the images are: the folder asked for, its crop for this aspect, or VBench's own tree beside the list.
fs::path image_folder(const PromptListFiles& files) {
  const std::string_view crop = vbench::image_crop_folder(files.aspect);
  if (!files.images) return files.list.parent_path() / "data" / "crop" / crop;
  std::error_code ignored;
  return fs::is_directory(*files.images / crop, ignored) ? *files.images / crop : *files.images;
}

/// Older lists leave the image out where only the camera differs: "a pond, camera pans left" starts from "a pond.jpg".
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
           vbench::folder_of_dimension(listed[0].get<std::string>());
  };
  return std::any_of(document.begin(), document.end(), is_vbench1) ? Benchmark::vbench : Benchmark::vbench2;
}

void check_dimensions(const JsonEntry& entry, const std::vector<std::string>& dimensions) {
  for (const std::string& dimension : dimensions) {
    if (!vbench::folder_of_dimension(dimension)) entry.fail_kind("dimension", "one of VBench's 16", dimension);
  }
}

}  // namespace

std::string json_kind(const json& value) {
  if (value.is_null()) return "nothing";
  if (value.is_string()) return "text";
  if (value.is_number()) return "a number";
  if (value.is_boolean()) return "true or false";
  return value.is_array() ? "a list" : "an object";
}

PromptList read_vbench_list(const PromptListFiles& files) {
  const json document = parse_array(files.list);
  PromptList list{.benchmark = benchmark_of(document)};
  for (const json& value : document) {
    const JsonEntry source{value, fmt::format("{}: entry {}", files.list.string(), list.entries.size() + 1)};
    if (!value.is_object())
      fail(ErrorKind::input, fmt::format("{}: expected an object, got {}", source.origin, json_kind(value)));
    PromptEntry& entry = list.entries.emplace_back();
    entry.origin = source.origin;
    const auto prompt = source.text("prompt_en");
    if (!prompt) source.fail_kind("prompt_en", "text", "nothing");
    entry.prompt = *prompt;
    entry.refined = source.text("refined_prompt");
    entry.dimensions = read_dimensions(source);
    if (list.benchmark == Benchmark::vbench) check_dimensions(source, entry.dimensions);
    if (list.benchmark == Benchmark::vbench_i2v) {
      entry.options["image"] = (image_folder(files) / image_name(source, entry.prompt)).string();
    }
  }
  return list;
}

}  // namespace faststar
