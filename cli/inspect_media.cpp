#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/inspect.h"
#include "core/base/error.h"
#include "core/config/config.h"
#include "core/config/settings.h"
#include "core/config/value.h"
#include "core/media/metadata.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// Throws Error(input) when `command` is none that makes a file from one set of settings.
FlagScope command_scope(const std::string& command, const fs::path& path) {
  if (command == "t2v") return FlagScope::t2v;
  if (command == "t2i") return FlagScope::t2i;
  if (command == "i2v") return FlagScope::i2v;
  if (command == "v2v") return FlagScope::v2v;
  fail(ErrorKind::input, fmt::format("{}: expected settings of t2v, t2i, i2v or v2v, got those of {}", path.string(),
                                     command == "interact" ? "a story, which many prompts made" : "another command"));
}

Provenance provenance_of(const fs::path& path) {
  const auto provenance = read_provenance(path);
  if (!provenance) {
    fail(ErrorKind::input, fmt::format("{}: it holds no settings of faststar", path.string()),
         "it was made by another program, or with --no-metadata");
  }
  if (provenance->command != "interact") command_scope(provenance->command, path);  // the text may be anybody's
  return *provenance;
}

/// A word for a shell.
std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  quoted += "'";
  return quoted;
}

/// A recorded value as its flag takes it.
std::string as_text(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return value_text(value.get<double>());
  if (!value.is_array()) return value.dump();
  std::vector<std::string> items;
  for (const auto& item : value) items.push_back(as_text(item));
  return fmt::format("{}", fmt::join(items, ","));
}

/// What metadata holds for a field; null when nothing.
nlohmann::json recorded(const nlohmann::json& settings, std::string_view section, std::string_view field) {
  const size_t dot = section.find('.');
  const auto group = settings.find(std::string(section.substr(0, dot)));
  if (group == settings.end() || !group->is_object()) return {};
  if (dot != std::string_view::npos) return recorded(*group, section.substr(dot + 1), field);
  return group->value(std::string(field), nlohmann::json());
}

/// The default of a setting as metadata would hold it; nothing when there is none or the model decides.
template <typename T>
std::optional<std::string> default_text(const Field& field, const T& standard) {
  if (field.fallback == Fallback::model) return std::nullopt;
  return value_text(standard);
}
template <typename T>
std::optional<std::string> default_text(const Field&, const std::optional<T>&) {
  return "";
}

/// Where the file went and how its making was watched do not change it.
bool shapes_the_file(const Field& field) {
  const bool where = field.name == "output" || field.name == "overwrite" || field.name == "frames_dir" ||
                     field.name == "save_codes" || field.name == "preview" || field.name == "trace";
  const bool watching = field.name == "progress" || field.name == "quiet" || field.name == "json";
  return !where && !watching;
}

template <typename T>
std::string flag_of(const Field& field, const nlohmann::json& value, const T& standard) {
  const std::string text = as_text(value);
  if (text == default_text(field, standard)) return "";
  // A flag alone says true.
  if constexpr (std::is_same_v<T, bool>) {
    return fmt::format(" {}{}", flag_name(field.setting()), text == "true" ? "" : "=" + text);
  }
  const char* between = text.starts_with("-") ? "=" : " ";  // a word that begins so would be a flag
  return fmt::format(" {}{}{}", flag_name(field.setting()), between, shell_quoted(text));
}

}  // namespace

std::string describe_media(const fs::path& path) {
  const Provenance provenance = provenance_of(path);
  const auto settings = nlohmann::ordered_json::parse(provenance.settings_json);
  const std::string run = provenance.run_json.empty() ? "" : fmt::format("run: {}\n", provenance.run_json);
  return fmt::format("made by faststar {} {}\n{}{}\n", provenance.version, provenance.command, run, settings.dump(2));
}

std::string remake_command(const fs::path& path) {
  const Provenance provenance = provenance_of(path);
  const auto settings = nlohmann::json::parse(provenance.settings_json);
  const FlagScope command = command_scope(provenance.command, path);
  std::string line = "faststar " + provenance.command;
  const auto model = settings.value("model", nlohmann::json::object());
  if (model.contains("preset")) line += fmt::format(" --config {}", shell_quoted(as_text(model["preset"])));
  const Config standards;
  visit_config(standards, [&](std::string_view section, const Field& field, const auto& standard) {
    const nlohmann::json value = recorded(settings, section, field.name);
    if (value.is_null() || !shapes_the_file(field) || !overlap(field.scope, command)) return;
    line += flag_of(field, value, standard);
  });
  return line + "\n";
}

}  // namespace faststar
