#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/inspect.h"
#include "core/config/config.h"
#include "core/config/settings.h"
#include "core/config/value.h"
#include "core/error.h"
#include "core/media/metadata.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

Provenance provenance_of(const fs::path& path) {
  const auto provenance = parse_comment(read_comment(path));
  if (!provenance) {
    fail(ErrorKind::input, fmt::format("{}: it holds no settings of faststar", path.string()),
         "it was made by another program, or with --no-metadata");
  }
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

std::string as_text(const nlohmann::json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// The default of a setting as metadata would hold it; "" when there is none or the model decides.
template <typename T>
std::string default_text(const Field& field, const T& standard) {
  if constexpr (requires { value_text(standard); }) {
    return field.fallback == Fallback::model ? "" : value_text(standard);
  } else {
    return "";
  }
}

/// Where the file went and how its making was watched do not change it.
bool shapes_the_file(const Field& field) {
  const bool where =
      field.name == "output" || field.name == "overwrite" || field.name == "frames_dir" || field.name == "save_codes";
  const bool watching = field.name == "progress" || field.name == "quiet" || field.name == "json";
  return field.scope != FlagScope::none && !where && !watching;
}

template <typename T>
std::string flag_of(const Field& field, const nlohmann::json& value, const T& standard) {
  const std::string text = as_text(value);
  if (text == default_text(field, standard)) return "";
  if constexpr (std::is_same_v<T, bool>) return fmt::format(" {}", flag_name(field.name));
  return fmt::format(" {} {}", flag_name(field.name), shell_quoted(text));
}

}  // namespace

std::string describe_media(const fs::path& path) {
  const Provenance provenance = provenance_of(path);
  const auto settings = nlohmann::ordered_json::parse(provenance.settings_json);
  return fmt::format("made by faststar {} {}\n{}\n", provenance.version, provenance.command, settings.dump(2));
}

std::string remake_command(const fs::path& path) {
  const Provenance provenance = provenance_of(path);
  const auto settings = nlohmann::json::parse(provenance.settings_json);
  const FlagScope reach = provenance.command == "t2i" ? FlagScope::making : FlagScope::video;
  std::string line = "faststar " + provenance.command;
  const Config standards;
  visit_config(standards, [&](std::string_view section, const Field& field, const auto& standard) {
    const auto group = settings.find(std::string(section));
    if (group == settings.end() || !group->is_object() || !group->contains(std::string(field.name))) return;
    if (!shapes_the_file(field) || (field.scope == FlagScope::video && reach == FlagScope::making)) return;
    line += flag_of(field, (*group)[std::string(field.name)], standard);
  });
  return line + "\n";
}

}  // namespace faststar
