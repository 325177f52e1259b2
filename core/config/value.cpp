#include "core/config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace faststar {
namespace {

/// Insertions, deletions and replacements of one character, and swaps of two neighbours (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> distance(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      size_t& best = distance[i][j];
      if (i == 0 || j == 0) {
        best = i + j;
        continue;
      }
      best =
          std::min({distance[i - 1][j - 1] + (a[i - 1] != b[j - 1]), distance[i - 1][j] + 1, distance[i][j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) best = std::min(best, distance[i - 2][j - 2] + 1);
    }
  }
  return distance[a.size()][b.size()];
}

constexpr std::string_view kAllScales = "all";

}  // namespace

bool parse_value(std::string_view text, const Field&, std::string& out) {
  out = text;
  return true;
}

bool parse_value(std::string_view text, const Field&, bool& out) {
  const bool yes = text == "true" || text == "1";
  if (!yes && text != "false" && text != "0") return false;
  out = yes;
  return true;
}

bool parse_value(std::string_view text, const Field& field, Seconds& out) {
  if (text.ends_with('s')) text.remove_suffix(1);
  return parse_value(text, field, out.count);
}

bool parse_value(std::string_view text, const Field&, Aspect& out) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const Field side{.range = {1, 10000}};
  Aspect aspect;
  if (!parse_value(text.substr(0, colon), side, aspect.width)) return false;
  if (!parse_value(text.substr(colon + 1), side, aspect.height)) return false;
  out = aspect;
  return true;
}

bool parse_value(std::string_view text, const Field&, ScaleChoice& out) {
  constexpr std::string_view kLast = "last";
  ScaleChoice scales;
  if (text.starts_with(kLast)) {
    if (!parse_value(text.substr(kLast.size()), Field{.range = {1, 100}}, scales.last)) return false;
  } else if (text.empty() || !parse_value(text, Field{.range = {0, 1000}}, scales.listed)) {
    return false;
  }
  out = std::move(scales);
  return true;
}

bool parse_value(std::string_view text, const Field& field, std::optional<ScaleChoice>& out) {
  if (text == kAllScales) {
    out.reset();
    return true;
  }
  ScaleChoice scales;
  if (!parse_value(text, field, scales)) return false;
  out = std::move(scales);
  return true;
}

std::string value_text(const std::string& value) { return value; }
std::string value_text(bool value) { return value ? "true" : "false"; }
std::string value_text(Seconds value) { return fmt::format("{}", value.count); }
std::string value_text(Aspect value) { return fmt::format("{}:{}", value.width, value.height); }
std::string value_text(const ScaleChoice& value) {
  return value.listed.empty() ? fmt::format("last{}", value.last) : value_text(value.listed);
}

std::string range_text(std::string_view what, const Range& range) {
  const Range unbounded;
  if (range.min == unbounded.min && range.max == unbounded.max) return std::string(what);
  return fmt::format("{} from {} to {}", what, range.min, range.max);
}

std::string expected_text(const Field&, const std::string&) { return "text"; }
std::string expected_text(const Field&, bool) { return "true or false"; }
std::string expected_text(const Field&, Seconds) { return "whole seconds such as 5 or 5s"; }
std::string expected_text(const Field&, Aspect) { return "width:height such as 16:9"; }
std::string expected_text(const Field&, const ScaleChoice&) { return "last4, or a list of scales such as 26,27"; }
std::string expected_text(const Field& field, const std::optional<ScaleChoice>&) {
  return fmt::format("{}, {}", kAllScales, expected_text(field, ScaleChoice{}));
}

std::string quoted_yaml(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  constexpr size_t kLongestName = 100;  // the work grows with the length, and what comes from files has any
  name = name.substr(0, kLongestName);
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  if (nearest == known.end()) return "";
  const auto letters = [](std::string_view text) {
    return text.substr(std::min(text.find_first_not_of('-'), text.size()));
  };
  const size_t most = std::max<size_t>(letters(name).size() / 3, 1);
  return edit_distance(letters(name), letters(*nearest)) <= most ? *nearest : "";
}

}  // namespace faststar
