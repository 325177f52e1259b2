#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/config/nearest_name.h"
#include "core/config/value.h"
#include "core/pipeline/batch/list_formats.h"

namespace faststar {
namespace {

using nlohmann::json;

/// Settings that one entry can have for itself: the model is loaded once, the files are named by the batch.
bool belongs_to_an_entry(std::string_view section, const Field& field) {
  constexpr std::array<std::string_view, 4> kOfTheRun = {"model", "schedule", "output", "runtime"};
  constexpr FlagScope kTasks = FlagScope::batch | FlagScope::i2v | FlagScope::v2v;
  return std::ranges::find(kOfTheRun, section) == kOfTheRun.end() && overlap(field.scope, kTasks) &&
         field.name != "prompt" && field.name != "prompt_file" && field.name != "count";
}

bool names_a_file(std::string_view field) { return field == "image" || field == "video"; }

/// A JSON value as a flag would have it: lists with commas.
std::string flag_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const json& item : value) text += fmt::format("{}{}", text.empty() ? "" : ",", flag_text(item));
  return text;
}

class LineReader {
 public:
  /// Files are named from `folder`.
  LineReader(const TextLine& line, std::filesystem::path folder) : origin_(line.origin), folder_(std::move(folder)) {
    entry_.origin = line.origin;
  }

  PromptEntry read(const json& object) {
    for (const auto& [key, value] : object.items()) {
      if (!read_text(key, value) && !read_setting(key, value)) fail_unknown(key);
    }
    if (!object.contains("prompt"))
      fail(ErrorKind::input, fmt::format("{}: prompt: expected text, got nothing", origin_));
    return std::move(entry_);
  }

 private:
  [[noreturn]] void fail_value(const std::string& key, const std::string& expected, const json& got) const {
    const std::string shown = got.is_string() || got.is_primitive() ? flag_text(got) : json_kind(got);
    fail(ErrorKind::input,
         fmt::format("{}: {}: expected {}, got {}", origin_, key, expected, shown.empty() ? "nothing" : shown));
  }

  [[noreturn]] void fail_unknown(const std::string& key) const {
    std::vector<std::string> known = {"prompt", "refined_prompt"};
    visit_config(scratch_, [&](std::string_view section, const Field& field, const auto&) {
      if (belongs_to_an_entry(section, field)) known.emplace_back(field.name);
    });
    fail(ErrorKind::input,
         fmt::format("{}: {}: unknown key, or one that is the same for the whole batch", origin_, key),
         fmt::format("the nearest one that an entry can have is {}", nearest_name(key, known)));
  }

  bool read_text(const std::string& key, const json& value) {
    if (key != "prompt" && key != "refined_prompt") return false;
    if (!value.is_string()) fail_value(key, "text", value);
    if (key == "prompt") {
      entry_.prompt = value.get<std::string>();
    } else {
      entry_.refined = value.get<std::string>();
    }
    return true;
  }

  bool read_setting(const std::string& key, const json& value) {
    bool found = false;
    visit_config(scratch_, [&]<typename T>(std::string_view section, const Field& field, T& member) {
      if constexpr (!std::is_same_v<T, std::vector<int>>) {
        if (field.name != key || !belongs_to_an_entry(section, field)) return;
        found = true;
        const std::string text = flag_text(value);
        if (value.is_null() || value.is_object() || !parse_value(text, field, member)) {
          fail_value(key, expected_text(field, member), value);
        }
        entry_.options[key] = names_a_file(key) ? (folder_ / text).string() : text;
      }
    });
    return found;
  }

  std::string origin_;
  std::filesystem::path folder_;
  PromptEntry entry_;
  Config scratch_;  ///< only to try the values on
};

}  // namespace

PromptList read_jsonl_list(const std::filesystem::path& path) {
  PromptList list;
  for (const TextLine& line : read_text_lines(path)) {
    const json object = json::parse(line.text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) {
      fail(ErrorKind::input, fmt::format("{}: expected a JSON object, got {}", line.origin,
                                         object.is_discarded() ? "something else" : json_kind(object)));
    }
    list.entries.push_back(LineReader(line, path.parent_path()).read(object));
  }
  return list;
}

}  // namespace faststar
