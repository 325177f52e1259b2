#include "core/config/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/config/config_fields.h"
#include "core/config/value.h"

namespace faststar {
namespace {

/// "weights" of "--weights"; empty for "-p".
std::string_view long_name_of(std::string_view names) { return names.starts_with("--") ? names.substr(2) : ""; }

/// Sets every field for which text_of(its name) has something; an earlier name counts as long as the current one has
/// nothing. shown_of(name) is what messages call it.
template <typename TextOf, typename ShownOf>
void apply_texts(Settings& settings, Source source, TextOf&& text_of, ShownOf&& shown_of) {
  visit_config(settings.config, [&](std::string_view, const Field& field, auto& member) {
    std::string_view name = field.setting();
    std::optional<std::string> text = text_of(name);
    for (const std::string_view other : {field.old_name, long_name_of(field.other_names)}) {
      if (text || other.empty()) continue;
      name = other;
      text = text_of(name);
    }
    if (!text) return;
    const Origin origin = {source, shown_of(name)};
    if (!parse_value(*text, field, member)) fail_value(origin, expected_text(field, member), *text);
    settings.origins[std::string(field.setting())] = origin;
  });
  for (const RetiredSetting& setting : retired_reduction_settings()) {
    const std::optional<std::string> text = text_of(setting.flag);
    if (text) check_retired(setting, *text, shown_of(setting.flag));
  }
}

auto finder_in(const FieldTexts& texts) {
  return [&texts](std::string_view field) {
    const auto found = texts.find(field);
    return found == texts.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string yaml_scalar(const std::string& value) { return quoted_yaml(value); }
std::string yaml_scalar(Aspect value) { return quoted_yaml(value_text(value)); }  // YAML 1.1 reads 16:9 as base 60
template <Number T>
std::string yaml_scalar(const std::vector<T>& value) {
  return fmt::format("[{}]", fmt::join(value, ", "));
}
std::string yaml_scalar(const ScaleChoice& value) {
  return value.listed.empty() ? value_text(value) : yaml_scalar(value.listed);
}
template <typename T>
std::string yaml_scalar(const T& value) {
  return value_text(value);
}

template <typename T>
std::string yaml_line(const Field& field, const T& member) {
  return fmt::format("{}: {}\n", field.name, yaml_scalar(member));
}
template <typename T>
std::string yaml_line(const Field& field, const std::optional<T>& member) {
  return member ? yaml_line(field, *member) : "";
}

/// "reduction.faststar": a section inside another.
bool is_inner(std::string_view section) { return section.find('.') != std::string_view::npos; }

using Json = nlohmann::ordered_json;

template <typename T>
Json json_value(const T& value) {
  if constexpr (std::is_constructible_v<Json, T> && !std::is_enum_v<T>) {
    return Json(value);
  } else {
    return Json(value_text(value));
  }
}
Json json_value(Seconds value) { return Json(value.count); }

template <typename T>
void put(Json& section, const Field& field, const T& value) {
  section[std::string(field.name)] = json_value(value);
}
template <typename T>
void put(Json& section, const Field& field, const std::optional<T>& value) {
  if (value) put(section, field, *value);
}

/// "a.b" is the section b inside a.
Json& section_in(Json& json, std::string_view section) {
  const size_t dot = section.find('.');
  Json& outer = json[std::string(section.substr(0, dot))];
  return dot == std::string_view::npos ? outer : outer[std::string(section.substr(dot + 1))];
}

}  // namespace

const Origin& Settings::origin(std::string_view name) const {
  static const Origin standard;
  const auto found = origins.find(name);
  return found == origins.end() ? standard : found->second;
}

std::optional<std::string> environment_text(std::string_view field) {
  const char* const text = std::getenv(environment_name(field).c_str());
  if (text == nullptr || *text == '\0') return std::nullopt;
  return text;
}

std::string flag_name(std::string_view field) {
  std::string name = fmt::format("--{}", field);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string environment_name(std::string_view field) {
  std::string name = fmt::format("FASTSTAR_{}", field);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

void apply_environment(Settings& settings) {
  apply_texts(settings, Source::environment, environment_text, environment_name);
}

void apply_flags(Settings& settings, const FieldTexts& flags) {
  apply_texts(settings, Source::flag, finder_in(flags), flag_name);
}

void apply_entry(Settings& settings, const FieldTexts& texts, const std::string& where) {
  apply_texts(settings, Source::flag, finder_in(texts),
              [&](std::string_view field) { return fmt::format("{}: {}", where, field); });
}

void settle_prompt_source(Settings& settings) {
  PromptConfig& prompt = settings.config.prompt;
  if (!prompt.prompt || !prompt.prompt_file) return;
  const Origin& text = settings.origin("prompt");
  const Origin& file = settings.origin("prompt_file");
  if (text.source == file.source) {
    fail(ErrorKind::usage, fmt::format("{} and {}: expected one of them, got both", text.text, file.text));
  }
  if (text.source > file.source) {
    prompt.prompt_file.reset();
  } else {
    prompt.prompt.reset();
  }
}

void fail_value(const Origin& origin, const std::string& expected, std::string_view got) {
  fail(ErrorKind::usage, fmt::format("{}: expected {}, got {}", origin.text, expected, shortened(got)));
}

std::string config_yaml(const Config& config, const std::string& base) {
  std::string text = base.empty() ? "" : fmt::format("base: {}\n", quoted_yaml(base));
  visit_sections(config, [&](std::string_view name, const auto& fields) {
    const std::string margin = is_inner(name) ? "  " : "";
    std::string lines;
    visit_fields(fields, [&](const Field& field, const auto& member) {
      const std::string line = yaml_line(field, member);
      if (!line.empty()) lines += fmt::format("{}  {}", margin, line);
    });
    if (!lines.empty()) text += fmt::format("{}{}:\n{}", margin, name.substr(name.rfind('.') + 1), lines);
  });
  return text;
}

std::string without_home(const std::string& path) {
  const char* const variable = std::getenv("HOME");
  const std::string home = variable == nullptr ? "" : variable;
  const bool inside = !home.empty() && home != "/" && path.starts_with(home + "/");
  return inside ? "~" + path.substr(home.size()) : path;
}

Config without_home(Config config) {
  visit_config(config, [&](std::string_view, const Field& field, auto& member) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, std::optional<std::string>>) {
      if (field.names_path() && member) member = without_home(*member);
    }
  });
  return config;
}

std::string shell_path(const std::string& recorded) {
  constexpr std::string_view kHome = "~/";
  if (!recorded.starts_with(kHome) || recorded.size() == kHome.size()) return shell_quoted(recorded);
  return std::string(kHome) + shell_quoted(recorded.substr(kHome.size()));
}

void check_recorded_names(const Settings& settings) {
  const bool as_json = settings.config.runtime.json;
  const bool in_file = !settings.config.output.no_metadata;
  visit_config(settings.config, [&](std::string_view section, const Field& field, const auto& member) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, std::optional<std::string>>) {
      if (!field.names_path() || !member || !find_invalid_utf8(*member)) return;
      const bool remakes = section != "output";  // no other recorded name does
      if (!as_json && !(in_file && remakes)) return;
      fail(ErrorKind::usage,
           fmt::format("{} {}: the name is not UTF-8, and {} cannot hold it", settings.origin(field.setting()).text,
                       *member, as_json ? "JSON" : "the settings in the file"),
           as_json ? "rename it, or leave out --json" : "rename it, or add --no-metadata");
    }
  });
}

nlohmann::json recorded(const nlohmann::json& settings, std::string_view section, std::string_view field) {
  std::string path = fmt::format("/{}/{}", section, field);
  std::ranges::replace(path, '.', '/');
  const nlohmann::json::json_pointer place(path);
  return settings.contains(place) ? settings[place] : nlohmann::json();
}

nlohmann::ordered_json config_json(const Config& config) {
  Json json = Json::object();
  visit_config(config, [&](std::string_view section, const Field& field, const auto& member) {
    put(section_in(json, section), field, member);
  });
  return json;
}

}  // namespace faststar
