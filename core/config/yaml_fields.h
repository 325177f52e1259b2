#pragma once
// Reads the fields of any struct with visit_fields from a YAML mapping. Internal to core/config.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "core/config/value.h"
#include "core/config/yaml_document.h"

namespace faststar {

/// The names of a struct's fields.
template <typename Fields>
std::vector<std::string> field_names(const Fields& fields) {
  std::vector<std::string> names;
  visit_fields(fields, [&](const Field& field, const auto&) { names.emplace_back(field.name); });
  return names;
}

/// "got [1, 2]", short: a node as messages show it.
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
/// One number stands for a list of one.
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<double>& member);
/// `lastN` or a list of scales.
void read_value(const YAML::Node& node, const Field& field, const Origin& origin, ReducedScales& member);

/// Sets the members that `mapping` names; other keys are left to `other(entry)`, which returns false for one
/// that it does not know either. Calls was_set(field, origin) for each. Throws Error(usage).
template <typename Fields, typename Other, typename WasSet>
void read_fields(const YamlDocument& document, const YAML::Node& mapping, const std::string& section, Fields& fields,
                 Other&& other, WasSet&& was_set) {
  for (const YamlEntry& entry : document.entries(mapping, section)) {
    bool found = false;
    visit_fields(fields, [&](const Field& field, auto& member) {
      if (field.name != entry.key) return;
      const Origin origin = {Source::file,
                             fmt::format("{}: {}.{}", document.where(entry.key_node), section, entry.key)};
      read_value(entry.value, field, origin, member);
      was_set(field, origin);
      found = true;
    });
    if (!found && !other(entry)) document.fail_unknown(entry, section, field_names(fields));
  }
}

}  // namespace faststar
