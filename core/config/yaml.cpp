#include "core/config/yaml.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/config/config_fields.h"
#include "core/config/yaml_document.h"

namespace faststar {
namespace {

std::string yaml_scalar(const std::string& value) { return quoted_yaml(value); }
std::string yaml_scalar(Aspect value) { return quoted_yaml(value_text(value)); }  // YAML 1.1 reads 16:9 as base 60
std::string yaml_scalar(const std::vector<int>& value) { return fmt::format("[{}]", fmt::join(value, ", ")); }
std::string yaml_scalar(const std::vector<double>& value) { return fmt::format("[{}]", fmt::join(value, ", ")); }
std::string yaml_scalar(const ReducedScales& value) {
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

/// The section that has a field `key`; "" when none has.
std::string section_of(const Config& config, const std::string& key) {
  std::string found;
  visit_config(config, [&](std::string_view section, const Field& field, const auto&) {
    if (field.has_key(key)) found = section;
  });
  return found;
}

std::vector<std::string> section_names(const Config& config) {
  std::vector<std::string> names;
  visit_sections(config, [&](std::string_view name, const auto&) { names.emplace_back(name); });
  return names;
}

bool is_section(const Config& config, const std::string& name) {
  const std::vector<std::string> names = section_names(config);
  return std::find(names.begin(), names.end(), name) != names.end();
}

void apply_section(const YamlDocument& document, const YamlEntry& section, Source source, const OtherKeys& other_keys,
                   Settings& settings) {
  const auto other = [&](const YamlEntry& entry) {
    if (other_keys(section.key, entry)) return true;
    const std::string inner = fmt::format("{}.{}", section.key, entry.key);
    if (is_section(settings.config, inner)) {
      apply_section(document, {inner, entry.key_node, entry.value}, source, other_keys, settings);
      return true;
    }
    const std::string home = section_of(settings.config, entry.key);
    if (home.empty()) return false;
    fail(ErrorKind::usage,
         fmt::format("{}: {}.{}: unknown key", document.where(entry.key_node), section.key, entry.key),
         fmt::format("{} belongs in the section {}", entry.key, home));
  };
  const auto was_set = [&](const Field& field, const Origin& origin) {
    settings.origins[std::string(field.setting())] = {source, origin.text};
  };
  visit_sections(settings.config, [&](std::string_view name, auto& fields) {
    if (name == section.key) read_fields(document, section.value, section.key, fields, other, was_set);
  });
}

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

void apply_yaml(const YamlDocument& document, Source source, const OtherKeys& other_keys, Settings& settings) {
  std::vector<std::string> sections = section_names(settings.config);
  std::erase_if(sections, is_inner);
  for (const YamlEntry& entry : document.entries(document.root(), "the file")) {
    if (std::find(sections.begin(), sections.end(), entry.key) != sections.end()) {
      apply_section(document, entry, source, other_keys, settings);
    } else if (!other_keys("", entry)) {
      document.fail_unknown(entry, "", sections);
    }
  }
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

nlohmann::ordered_json config_json(const Config& config) {
  Json json = Json::object();
  visit_config(config, [&](std::string_view section, const Field& field, const auto& member) {
    put(section_in(json, section), field, member);
  });
  return json;
}

}  // namespace faststar
