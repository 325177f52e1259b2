#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.h"

/// Settings as text: how flags, environment variables and YAML scalars become values, and back. Nothing here depends on
/// the locale.
namespace faststar {

// parse_value: true when `text` is a value of the type and in the field's range; `out` is untouched otherwise.
bool parse_value(std::string_view text, const Field& field, std::string& out);
bool parse_value(std::string_view text, const Field& field, bool& out);
bool parse_value(std::string_view text, const Field& field, int& out);
bool parse_value(std::string_view text, const Field& field, int64_t& out);
bool parse_value(std::string_view text, const Field& field, double& out);
bool parse_value(std::string_view text, const Field& field, Seconds& out);
bool parse_value(std::string_view text, const Field& field, Aspect& out);
bool parse_value(std::string_view text, const Field& field, std::vector<int>& out);
bool parse_value(std::string_view text, const Field& field, std::vector<double>& out);
bool parse_value(std::string_view text, const Field& field, ReducedScales& out);

template <Choice Enum>
bool parse_value(std::string_view text, const Field&, Enum& out) {
  for (size_t i = 0; i < kChoiceNames<Enum>.size(); ++i) {
    if (text != kChoiceNames<Enum>[i]) continue;
    out = static_cast<Enum>(i);
    return true;
  }
  return false;
}

template <typename T>
bool parse_value(std::string_view text, const Field& field, std::optional<T>& out) {
  T value{};
  if (!parse_value(text, field, value)) return false;
  out = std::move(value);
  return true;
}

// value_text: what parse_value reads back.
std::string value_text(const std::string& value);
std::string value_text(bool value);
std::string value_text(int value);
std::string value_text(int64_t value);
std::string value_text(double value);
std::string value_text(Seconds value);
std::string value_text(Aspect value);
std::string value_text(const std::vector<int>& value);
std::string value_text(const std::vector<double>& value);
std::string value_text(const ReducedScales& value);

template <Choice Enum>
std::string value_text(Enum value) {
  return std::string(choice_name(value));
}

/// The values that a field accepts, for messages: "a whole number from 0 to 51".
std::string expected_text(const Field& field, const std::string&);
std::string expected_text(const Field& field, bool);
std::string expected_text(const Field& field, int);
std::string expected_text(const Field& field, int64_t);
std::string expected_text(const Field& field, double);
std::string expected_text(const Field& field, Seconds);
std::string expected_text(const Field& field, Aspect);
std::string expected_text(const Field& field, const std::vector<int>&);
std::string expected_text(const Field& field, const std::vector<double>&);
std::string expected_text(const Field& field, const ReducedScales&);

/// `text` as a double-quoted YAML scalar; bytes above ASCII stay as they are (file names are bytes).
std::string quoted_yaml(const std::string& text);

/// The names with `separator` between them.
std::string join_names(const std::string_view* names, size_t count, std::string_view separator);

template <Choice Enum>
std::string expected_text(const Field&, Enum) {
  return "one of " + join_names(kChoiceNames<Enum>.data(), kChoiceNames<Enum>.size(), ", ");
}

template <typename T>
std::string expected_text(const Field& field, const std::optional<T>&) {
  return expected_text(field, T{});
}

/// The one of `known` with the fewest single-character edits to `name` (the first on a tie); "" when there is none.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace faststar
