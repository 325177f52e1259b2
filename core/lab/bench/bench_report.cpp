#include "core/lab/bench/bench_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/utf8.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

bool has(const BenchColumn& column, const Json& row) { return row.contains(Json::json_pointer("/" + column.key)); }

std::string cell_text(const BenchColumn& column, const Json& row) {
  if (!has(column, row)) return "";
  const Json::json_pointer pointer("/" + column.key);
  const Json& value = row[pointer];
  if (value.is_number()) return fmt::format("{:.{}f}", value.get<double>() * column.scale, column.digits);
  return value.is_string() ? value.get<std::string>() : "";
}

/// Words to the left, numbers to the right.
bool is_text(const BenchTable& table, const BenchColumn& column) {
  const Json::json_pointer pointer("/" + column.key);
  return std::ranges::any_of(table.rows, [&](const Json& row) { return has(column, row) && row[pointer].is_string(); });
}

size_t width_of(const std::string& text) { return decode_utf8(text).size(); }

std::string padded(const std::string& text, size_t width, bool left) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return left ? text + space : space + text;
}

}  // namespace

std::string table_text(const BenchTable& table) {
  std::string head = "|", rule = "|";
  std::vector<std::string> lines(table.rows.size(), "|");
  for (const BenchColumn& column : table.columns) {
    if (std::ranges::none_of(table.rows, [&](const Json& row) { return has(column, row); })) continue;
    const bool left = is_text(table, column);
    std::vector<std::string> cells;
    size_t width = width_of(column.heading);
    for (const Json& row : table.rows) width = std::max(width, width_of(cells.emplace_back(cell_text(column, row))));
    head += fmt::format(" {} |", padded(column.heading, width, left));
    rule += fmt::format("{}{}|", std::string(width + 1, '-'), left ? "-" : ":");
    for (size_t row = 0; row < cells.size(); ++row) lines[row] += fmt::format(" {} |", padded(cells[row], width, left));
  }
  std::string text = fmt::format("{}\n\n{}\n{}\n", table.title, head, rule);
  for (const std::string& line : lines) text += line + "\n";
  for (const std::string& note : table.footnotes) text += fmt::format("\n{}\n", note);
  return text;
}

std::string report_text(const BenchReport& report) {
  std::string text;
  for (const std::string& line : report.lines) text += line + "\n";
  for (const BenchTable& table : report.tables) text += fmt::format("\n{}", table_text(table));
  if (!report.warnings.empty()) text += "\n";
  for (const std::string& warning : report.warnings) text += fmt::format("note: {}\n", warning);
  return text;
}

std::string report_json(const BenchReport& report) {
  Json json = report.facts;
  for (const BenchTable& table : report.tables) {
    if (!table.key.empty()) json[table.key] = table.rows;
  }
  json["warnings"] = report.warnings;
  return json_text(json, 2) + "\n";
}

}  // namespace faststar
