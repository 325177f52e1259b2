#include "core/config/yaml.h"

#include <yaml-cpp/depthguard.h>

#include <algorithm>
#include <fstream>

#include "core/base/atomic_file.h"
#include "core/base/utf8.h"
#include "core/base/weights/mapped_file.h"
#include "core/config/config_fields.h"

namespace faststar {
namespace {

/// True for text that goes on behind a line `---` or `...`: of several documents the library gives the first, and its
/// LoadAll() takes memory without end for damaged ones.
bool has_second_document(std::string_view text) {
  bool has_first = false;
  for (const std::string_view line : lines_of(text)) {
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    if (has_first && (word == "---" || word == "...")) {
      const std::string_view rest = text.substr(static_cast<size_t>(line.data() - text.data()) + word.size());
      return rest.find_first_not_of(" \t\r\n.") != rest.npos;
    }
    const size_t start = line.find_first_not_of(" \t");
    has_first = has_first || (start != line.npos && line[start] != '#' && line[start] != '%');
  }
  return false;
}

YAML::Node parse(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string text = read_text(stream, path.string(), "a configuration file", 1, ErrorKind::usage);
  refuse_lfs_pointer(text, path.string());
  if (has_second_document(text)) fail(ErrorKind::usage, path.string() + ": expected one YAML document, got more");
  try {
    return YAML::Load(text);
  } catch (const YAML::DeepRecursion&) {
    fail(ErrorKind::usage, fmt::format("{}: sections inside each other, expected at most two", path.string()));
  } catch (const YAML::Exception& error) {
    fail(ErrorKind::usage, fmt::format("{}:{}: not YAML: {}", path.string(), error.mark.line + 1, error.msg));
  }
}

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

}  // namespace

YamlDocument::YamlDocument(std::filesystem::path path) : path_(std::move(path)), root_(parse(path_)) {
  if (!root_.IsMap() && !root_.IsNull()) {
    fail(ErrorKind::usage,
         fmt::format("{}: expected sections (`generate:` and so on), got something else", path_.string()));
  }
}

std::string YamlDocument::where(const YAML::Node& node) const {
  return fmt::format("{}:{}", path_.string(), node.Mark().line + 1);
}

std::vector<YamlEntry> YamlDocument::entries(const YAML::Node& mapping, std::string_view name) const {
  if (mapping.IsNull()) return {};
  if (!mapping.IsMap()) {
    fail(ErrorKind::usage, fmt::format("{}: {}: expected `key: value` lines, got a value", where(mapping), name));
  }
  std::vector<YamlEntry> entries;
  std::set<std::string> seen;
  for (const auto& item : mapping) {
    if (!item.first.IsScalar()) {
      fail(ErrorKind::usage, fmt::format("{}: {}: expected a name as key", where(item.first), name));
    }
    entries.push_back({item.first.Scalar(), item.first, item.second});
    if (!seen.insert(entries.back().key).second) {
      fail(ErrorKind::usage, fmt::format("{}: {}: duplicate key in {}", where(item.first), entries.back().key, name));
    }
  }
  return entries;
}

void YamlDocument::fail_unknown(const YamlEntry& entry, std::string_view section,
                                const std::vector<std::string>& known) const {
  const std::string dotted = section.empty() ? entry.key : fmt::format("{}.{}", section, entry.key);
  const std::string nearest = nearest_name(entry.key, known);
  fail(ErrorKind::usage, fmt::format("{}: {}: unknown key", where(entry.key_node), dotted),
       nearest.empty() ? fmt::format("known here: {}", fmt::join(known, ", "))
                       : fmt::format("the nearest known one is {}", nearest));
}

std::string node_text(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsScalar()) return node.Tag() == "!" ? quoted_yaml(node.Scalar()) : node.Scalar();
  return node.IsSequence() ? "a list" : "a section";
}

template <typename Number>
void read_list(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<Number>& member) {
  std::vector<Number> values;
  if (!node.IsSequence()) fail_value(origin, expected_text(field, member), node_text(node));
  for (const YAML::Node& item : node) read_value(item, field, origin, values.emplace_back());
  member = std::move(values);
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<int>& member) {
  read_list(node, field, origin, member);
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::array<int64_t, 5>& member) {
  std::vector<int> values;
  read_list(node, field, origin, values);
  if (values.size() != member.size()) {
    fail_value(origin, fmt::format("{} numbers", member.size()), std::to_string(values.size()));
  }
  std::copy(values.begin(), values.end(), member.begin());
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<double>& member) {
  if (!node.IsScalar()) return read_list(node, field, origin, member);
  member.resize(1);
  read_value(node, field, origin, member.front());
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, ScaleChoice& member) {
  if (node.IsScalar()) {
    if (!parse_value(node.Scalar(), field, member)) fail_value(origin, expected_text(field, member), node_text(node));
  } else {
    read_list(node, Field{.name = field.name, .range = {0, 1000}}, origin, member.listed);
  }
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::optional<ScaleChoice>& member) {
  member.reset();
  if (node.IsNull()) return;
  if (node.IsSequence()) return read_value(node, field, origin, member.emplace());
  if (!node.IsScalar() || !parse_value(node.Scalar(), field, member)) {
    fail_value(origin, expected_text(field, member), node_text(node));
  }
}

void apply_yaml(const YamlDocument& document, Source source, const OtherKeys& other_keys, Settings& settings) {
  std::vector<std::string> sections = section_names(settings.config);
  std::erase_if(sections, [](const std::string& name) { return name.find('.') != name.npos; });  // inner ones
  for (const YamlEntry& entry : document.entries(document.root(), "the file")) {
    if (std::find(sections.begin(), sections.end(), entry.key) != sections.end()) {
      apply_section(document, entry, source, other_keys, settings);
    } else if (!other_keys("", entry)) {
      document.fail_unknown(entry, "", sections);
    }
  }
}

}  // namespace faststar
