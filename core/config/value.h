#pragma once
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.h"

/// Settings as text: how flags, environment variables and YAML scalars become values, and back. Nothing here depends on
/// the locale.
namespace faststar {

template <typename T>
concept Number = std::same_as<T, int> || std::same_as<T, int64_t> || std::same_as<T, double>;

// parse_value: true when `text` is a value of the type and in the field's range; `out` is untouched otherwise.
bool parse_value(std::string_view text, const Field& field, std::string& out);
bool parse_value(std::string_view text, const Field& field, bool& out);
bool parse_value(std::string_view text, const Field& field, Seconds& out);
bool parse_value(std::string_view text, const Field& field, Aspect& out);
bool parse_value(std::string_view text, const Field& field, ScaleChoice& out);
/// `all` is none: no choice among the scales.
bool parse_value(std::string_view text, const Field& field, std::optional<ScaleChoice>& out);

/// from_chars over all of `text`: no spaces, no locale, no overflow.
template <Number T>
bool parse_value(std::string_view text, const Field& field, T& out) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return false;
  const auto number = static_cast<double>(value);
  if (!std::isfinite(number) || number < field.range.min || number > field.range.max) return false;
  out = value;
  return true;
}

/// Values with commas between them; no text is an empty list.
template <Number T>
bool parse_value(std::string_view text, const Field& field, std::vector<T>& out) {
  std::vector<T> values;
  while (!text.empty() || !values.empty()) {
    const size_t comma = text.find(',');
    if (!parse_value(text.substr(0, comma), field, values.emplace_back())) return false;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  out = std::move(values);
  return true;
}

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
std::string value_text(Seconds value);
std::string value_text(Aspect value);
std::string value_text(const ScaleChoice& value);

template <Number T>
std::string value_text(T value) {
  return fmt::format("{}", value);
}

template <Number T>
std::string value_text(const std::vector<T>& value) {
  return fmt::format("{}", fmt::join(value, ","));
}

template <Choice Enum>
std::string value_text(Enum value) {
  return std::string(choice_name(value));
}

/// "a number from 0 to 51", or `what` alone where the range has no bounds.
std::string range_text(std::string_view what, const Range& range);

/// All words of an enum with `separator` between them.
template <Choice Enum>
std::string choice_names(std::string_view separator) {
  return fmt::format("{}", fmt::join(kChoiceNames<Enum>, separator));
}

/// The values that a field accepts, for messages: "a whole number from 0 to 51".
std::string expected_text(const Field& field, const std::string&);
std::string expected_text(const Field& field, bool);
std::string expected_text(const Field& field, Seconds);
std::string expected_text(const Field& field, Aspect);
std::string expected_text(const Field& field, const ScaleChoice&);
std::string expected_text(const Field& field, const std::optional<ScaleChoice>&);

template <Number T>
std::string expected_text(const Field& field, T) {
  return range_text(std::integral<T> ? "a whole number" : "a number", field.range);
}

template <Number T>
std::string expected_text(const Field& field, const std::vector<T>&) {
  return range_text(std::integral<T> ? "a list of whole numbers" : "a list of numbers", field.range);
}

template <Choice Enum>
std::string expected_text(const Field&, Enum) {
  return "one of " + choice_names<Enum>(", ");
}

template <typename T>
std::string expected_text(const Field& field, const std::optional<T>&) {
  return expected_text(field, T{});
}

/// `text` as a double-quoted YAML scalar; bytes above ASCII stay as they are (file names are bytes).
std::string quoted_yaml(const std::string& text);

/// The one of `known` with the fewest single-character edits to `name` (the first on a tie); "" when there is none, or
/// when more than a third of the letters differ.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace faststar
