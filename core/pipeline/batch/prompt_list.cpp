#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/config/config_fields.h"
#include "core/config/value.h"
#include "core/pipeline/batch/batch_items.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string read_list_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return read_text(stream, path.string(), "a list of prompts", 64, ErrorKind::input);
}

struct TextLine {
  std::string origin;  ///< "prompts.txt:3"
  std::string text;
};

/// The lines of a file that are not blank.
std::vector<TextLine> read_text_lines(const fs::path& path) {
  const std::string text = read_list_file(path);
  std::vector<TextLine> lines;
  size_t number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    if (!is_blank_text(line)) lines.push_back({fmt::format("{}:{}", path.string(), number), std::string(line)});
  }
  if (lines.empty())
    fail(ErrorKind::input, fmt::format("{}: expected one prompt per line, got an empty file", path.string()));
  return lines;
}

/// A prompt per line. VBench's file for one dimension (prompts_per_dimension/color.txt) is known by its name.
PromptList read_text_list(const fs::path& path) {
  PromptList list;
  const std::string name = path.stem().string();
  if (vbench_folder(name) == name) list.benchmark = Benchmark::vbench;
  for (TextLine& line : read_text_lines(path)) {
    PromptEntry& entry = list.entries.emplace_back();
    entry.origin = std::move(line.origin);
    entry.prompt = std::move(line.text);
    if (list.benchmark == Benchmark::vbench) entry.dimensions = {name};
  }
  return list;
}

/// Settings that an entry can have for itself. Those of the model and its run are shared by the whole batch, and the
/// batch names the files.
bool is_entry_setting(std::string_view section, const Field& field) {
  constexpr std::array<std::string_view, 4> kShared = {"model", "schedule", "output", "runtime"};
  constexpr FlagScope kTasks = FlagScope::batch | FlagScope::i2v | FlagScope::v2v;
  return std::ranges::find(kShared, section) == kShared.end() && overlap(field.scope, kTasks) &&
         field.name != "prompt" && field.name != "prompt_file" && field.name != "count";
}

/// A JSON value as its flag takes it: lists with commas.
std::string flag_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const json& item : value) text += fmt::format("{}{}", text.empty() ? "" : ",", flag_text(item));
  return text;
}

[[noreturn]] void fail_key(const std::string& origin, std::string_view key, const std::string& expected,
                           const std::string& got) {
  fail(ErrorKind::input,
       fmt::format("{}: {}: expected {}, got {}", origin, key, expected, got.empty() ? "nothing" : got));
}

/// A value as messages show it.
std::string shown(const json& value) { return value.is_primitive() ? shortened(flag_text(value)) : value.type_name(); }

std::string text_of(const std::string& origin, const std::string& key, const json& value) {
  if (!value.is_string()) fail_key(origin, key, "a string", shown(value));
  return value.get<std::string>();
}

std::string id_of(const std::string& origin, const json& value) {
  if (!value.is_string() && !value.is_number()) fail_key(origin, "id", "a string or a number", shown(value));
  return value.dump();
}

/// Checks a setting of an entry and adds it to its options; false when there is none of that name. File names are
/// relative to `folder`.
bool read_setting(const std::string& key, const json& value, const fs::path& folder, PromptEntry& entry) {
  bool found = false;
  const std::string text = flag_text(value);
  Config scratch;  // only to check the value
  visit_config(scratch, [&](std::string_view section, const Field& field, auto& member) {
    if (field.setting() != key || !is_entry_setting(section, field)) return;
    found = true;
    if (value.is_null() || value.is_object() || !parse_value(text, field, member)) {
      fail_key(entry.origin, key, expected_text(field, member), shown(value));
    }
    entry.options[key] = key == "image" || key == "video" ? (folder / text).string() : text;
  });
  for (const RetiredSetting& setting : retired_reduction_settings()) {
    if (setting.name != key && setting.flag != key) continue;
    if (!keeps_meaning(setting, text)) {
      fail_key(entry.origin, key, fmt::format("{} (this setting was removed)", setting.value), shown(value));
    }
    entry.options[key] = text;  // the hash of the item covers it
    return true;
  }
  return found;
}

[[noreturn]] void fail_unknown(const std::string& origin, const std::string& key) {
  const Config standard;
  std::vector<std::string> known = {"prompt", "refined_prompt", "id"};
  visit_config(standard, [&](std::string_view section, const Field& field, const auto&) {
    if (is_entry_setting(section, field)) known.emplace_back(field.setting());
  });
  const std::string nearest = nearest_name(key, known);
  fail(ErrorKind::input, fmt::format("{}: {}: not a key of a batch entry", origin, shortened(key)),
       nearest.empty() ? "keys are prompt, image, video and options of t2v, i2v and v2v (--help-all)"
                       : fmt::format("the nearest key is {}", nearest));
}

/// The value of `text`. Throws Error(input) with the place of a mistake; `origin` names the file, or its line.
json parse_input(const std::string& text, const std::string& origin) {
  if (nests_too_deeply(text)) {
    fail(ErrorKind::input, fmt::format("{}: JSON nested deeper than {}", origin, kMaxJsonDepth));
  }
  if (const auto key = duplicate_key(text)) {
    fail(ErrorKind::input, fmt::format("{}: the key {} is there twice", origin, shortened(*key)));
  }
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    const std::string before =
        text.substr(0, std::min(std::max<size_t>(error.byte, 1), text.size() + 1) - 1);  // the mistake is the last read
    const std::string line =
        text.find('\n') != text.npos ? fmt::format(":{}", std::ranges::count(before, '\n') + 1) : "";
    const size_t column = before.size() - (before.rfind('\n') + 1) + 1;
    fail(ErrorKind::input, fmt::format("{}{}: not valid JSON at character {}", origin, line, column));
  } catch (const json::out_of_range&) {
    fail(ErrorKind::input, fmt::format("{}: not valid JSON: a number is too large", origin));
  }
}

/// Fills `entry` from the object of one line of a `.jsonl` file. Unknown keys are errors that name the nearest known
/// one.
void read_entry(const TextLine& line, const fs::path& folder, PromptEntry& entry) {
  const json object = parse_input(line.text, line.origin);
  if (!object.is_object()) {
    fail(ErrorKind::input, fmt::format("{}: expected a JSON object, got {}", line.origin, object.type_name()));
  }
  entry.origin = line.origin;
  if (object.contains("id")) entry.id = id_of(line.origin, object["id"]);
  for (const auto& [key, value] : object.items()) {
    if (key == "id") continue;
    if (key == "prompt") {
      entry.prompt = text_of(line.origin, key, value);
    } else if (key == "refined_prompt") {
      entry.refined = text_of(line.origin, key, value);
    } else if (!read_setting(key, value, folder, entry)) {
      fail_unknown(line.origin, key);
    }
  }
  if (!object.contains("prompt")) fail_key(line.origin, "prompt", "a string", "");
  if (entry.options.contains("image") && entry.options.contains("video")) {
    fail(ErrorKind::input, fmt::format("{}: image and video: expected one of them, got both", line.origin));
  }
}

/// The content of a VBench file: an array of {prompt_en, dimension, ...}.
json parse_array(const fs::path& path, const std::string& text) {
  json document = parse_input(text, path.string());
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

  std::optional<std::string> text(const char* key) const {
    if (!value.contains(key)) return std::nullopt;
    if (!value[key].is_string()) fail_key(origin, key, "a string", value[key].type_name());
    return value[key].get<std::string>();
  }
};

std::vector<std::string> read_dimensions(const JsonEntry& entry, Benchmark benchmark) {
  constexpr const char* kExpected = "a list of names";
  std::vector<std::string> dimensions;
  const json& listed = entry.value.value("dimension", json::array());
  if (!listed.is_array()) fail_key(entry.origin, "dimension", kExpected, listed.type_name());
  for (const json& name : listed) {
    if (!name.is_string()) fail_key(entry.origin, "dimension", kExpected, name.type_name());
    dimensions.push_back(name.get<std::string>());
    if (benchmark == Benchmark::vbench && !vbench_folder(dimensions.back())) {
      fail_key(entry.origin, "dimension", "one of VBench's 16", shortened(dimensions.back()));
    }
  }
  if (dimensions.empty()) fail_key(entry.origin, "dimension", kExpected, "");
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
  const std::string name = named ? *named : prompt.substr(0, prompt.rfind(", camera ")) + ".jpg";
  if (!file_name_problem(name).empty())
    fail_key(entry.origin, "image_name", "a file name without a folder", shortened(name));
  return name;
}

Benchmark benchmark_of(const json& document) {
  const auto has_image = [](const json& value) { return value.contains("image_name"); };
  if (std::any_of(document.begin(), document.end(), has_image)) return Benchmark::vbench_i2v;
  const auto is_vbench1 = [](const json& value) {
    const json& listed = value.contains("dimension") ? value["dimension"] : json();
    return listed.is_array() && !listed.empty() && listed[0].is_string() && vbench_folder(listed[0].get<std::string>());
  };
  return std::any_of(document.begin(), document.end(), is_vbench1) ? Benchmark::vbench : Benchmark::vbench2;
}

/// The entries of a VBench file, `text` being its content. Keys that are not needed are skipped.
PromptList parse_vbench_list(const PromptListFiles& files, const std::string& text) {
  const json document = parse_array(files.list, text);
  PromptList list{.benchmark = benchmark_of(document)};
  for (const json& value : document) {
    const JsonEntry source{value, fmt::format("{}: entry {}", files.list.string(), list.entries.size() + 1)};
    if (!value.is_object())
      fail(ErrorKind::input, fmt::format("{}: expected an object, got {}", source.origin, value.type_name()));
    const auto prompt = source.text("prompt_en");
    if (!prompt) fail_key(source.origin, "prompt_en", "a string", "");
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

PromptList read_by_extension(const PromptListFiles& files) {
  const std::string extension = lower_extension(files.list);
  if (extension == ".txt") return read_text_list(files.list);
  if (extension == ".json") return parse_vbench_list(files, read_list_file(files.list));
  if (extension == ".jsonl") {
    PromptList list;
    for (const TextLine& line : read_text_lines(files.list)) {
      if (files.keep_unreadable) {
        list.entries.push_back(read_entry_line(line.text, line.origin, files.list.parent_path()));
      } else {
        read_entry(line, files.list.parent_path(), list.entries.emplace_back());
      }
    }
    return list;
  }
  fail(ErrorKind::usage, fmt::format("{}: expected a .txt, .json or .jsonl file", files.list.string()),
       "the simplest list is a .txt file with one prompt per line");
}

/// Line n of `path` is the refined prompt of entry n.
void add_refined_prompts(const fs::path& path, PromptList& list) {
  std::vector<TextLine> lines = read_text_lines(path);
  if (lines.size() != list.entries.size()) {
    fail(ErrorKind::input, fmt::format("{}: expected {} lines, one per entry of the list, got {}", path.string(),
                                       list.entries.size(), lines.size()));
  }
  for (size_t i = 0; i < lines.size(); ++i) list.entries[i].refined = std::move(lines[i].text);
}

}  // namespace

PromptList read_prompt_list(const PromptListFiles& files) {
  PromptList list = read_by_extension(files);
  if (files.refined) add_refined_prompts(*files.refined, list);
  return list;
}

PromptEntry read_entry_line(const std::string& line, const std::string& origin, const fs::path& folder) {
  PromptEntry entry;
  try {
    read_entry({origin, line}, folder, entry);
  } catch (const Error& error) {
    const std::string_view message = error.what();
    const std::string start = origin + ": ";
    std::string problem(message.starts_with(start) ? message.substr(start.size()) : message);
    if (!error.hint().empty()) problem += fmt::format(" ({})", error.hint());
    return {.origin = origin, .id = entry.id, .prompt = entry.prompt, .problem = std::move(problem)};
  }
  return entry;
}

}  // namespace faststar
