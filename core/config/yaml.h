#pragma once
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/config/settings.h"
#include "core/config/value.h"

/// YAML files as trees with line numbers, and the fields of any struct read from them.
namespace faststar {

/// One `key: value` of a mapping.
struct YamlEntry {
  std::string key;
  YAML::Node key_node;
  YAML::Node value;
};

class YamlDocument {
 public:
  /// Reads and parses `path`. Throws Error(usage) naming file and line when it cannot be read, is larger
  /// than 1 MiB, is not YAML or not a mapping.
  explicit YamlDocument(std::filesystem::path path);

  const YAML::Node& root() const { return root_; }

  /// The position of `node`: "my.yaml:3".
  std::string where(const YAML::Node& node) const;

  /// The entries of a mapping in file order; none for an empty section. Messages call it `name`. Throws Error(usage)
  /// when it is not a mapping, or when a key is not a string or is there twice.
  std::vector<YamlEntry> entries(const YAML::Node& mapping, std::string_view name) const;

  /// Throws Error(usage): unknown key, with the nearest of `known` as a hint.
  [[noreturn]] void fail_unknown(const YamlEntry& entry, std::string_view section,
                                 const std::vector<std::string>& known) const;

 private:
  std::filesystem::path path_;
  YAML::Node root_;
};

/// The names of a struct's fields.
template <typename Fields>
std::vector<std::string> field_names(const Fields& fields) {
  std::vector<std::string> names;
  visit_fields(fields, [&](const Field& field, const auto&) { names.emplace_back(field.name); });
  return names;
}

/// A node as messages show it.
std::string node_text(const YAML::Node& node);

/// Sets `member` from `node`. Types are strict: numbers and booleans are not quoted, booleans are true or
/// false, null means "decide for me" and fits only optional members. Throws Error(usage).
template <typename T>
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, T& member) {
  constexpr bool quotable = !std::is_same_v<T, bool> && !std::is_arithmetic_v<T>;
  const bool quoted = node.Tag() == "!";
  const bool typed = !std::is_same_v<T, bool> || (node.IsScalar() && node.Scalar().size() > 1);  // no 0, no 1
  if (!node.IsScalar() || (quoted && !quotable) || !typed || !parse_value(node.Scalar(), field, member)) {
    fail_value(origin, expected_text(field, member), node_text(node));
  }
}

template <typename T>
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::optional<T>& member) {
  member.reset();
  if (!node.IsNull()) read_value(node, field, origin, member.emplace());
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<int>& member);
/// Exactly as many numbers.
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::array<int64_t, 5>& member);
/// One number stands for a list of one.
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<double>& member);
/// `lastN` or a list of scales.
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, ScaleChoice& member);
/// These, or `all`: none.
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::optional<ScaleChoice>& member);

/// Sets the members that `mapping` names and calls was_set(field, origin) for each. Other keys go to `other(entry)`,
/// which returns false for those that it does not know either. Throws Error(usage).
template <typename Fields, typename Other, typename WasSet>
void read_fields(const YamlDocument& document, const YAML::Node& mapping, const std::string& section, Fields& fields,
                 Other&& other, WasSet&& was_set) {
  std::set<std::string_view> seen;
  for (const YamlEntry& entry : document.entries(mapping, section)) {
    const Origin origin = {Source::file, fmt::format("{}: {}.{}", document.where(entry.key_node), section, entry.key)};
    bool found = false;
    visit_fields(fields, [&](const Field& field, auto& member) {
      if (!field.has_key(entry.key)) return;
      if (!seen.insert(field.name).second) {
        fail(ErrorKind::usage, fmt::format("{}: duplicate key", origin.text),
             fmt::format("{} is an earlier name of {}", field.old_name, field.name));
      }
      read_value(entry.value, field, origin, member);
      was_set(field, origin);
      found = true;
    });
    const std::string text = entry.value.IsScalar() ? entry.value.Scalar() : node_text(entry.value);
    if (found || is_retired(section, entry.key, text, origin.text) || other(entry)) continue;
    document.fail_unknown(entry, section, field_names(fields));
  }
}

/// Reads a key that is not in Config: (section, or "" for the top level, entry) -> false when it is unknown.
using OtherKeys = std::function<bool(const std::string& section, const YamlEntry& entry)>;

/// Applies the sections of `document`; `source` is recorded as their origin. Throws Error(usage) naming file, line and
/// key for unknown and repeated keys (with the nearest known one), wrong types and values out of range.
void apply_yaml(const YamlDocument& document, Source source, const OtherKeys& other_keys, Settings& settings);

}  // namespace faststar
