#include <fmt/format.h>

#include "core/lab/study/plots.h"
#include "core/lab/study/report.h"
#include "core/lab/study/svg.h"
#include "core/lab/study/table.h"

namespace faststar {
namespace {

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>faststar study: token reduction</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1280px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; }
table { border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
.table { overflow-x: auto; }
.note { color: #555; font-size: 13px; max-width: 75em; }
svg { display: block; max-width: 100%; height: auto; margin: 1.5em 0; font: 11px system-ui, sans-serif; }
svg text { paint-order: stroke; stroke: #fff; stroke-width: 3px; }
svg > text:first-child { font-size: 14px; font-weight: 600; }
.grid { stroke: #e4e4e4; }
.axis, .error { stroke: #444; }
.level { stroke: #888; stroke-dasharray: 5 4; }
@media print { body { margin: 0; max-width: none; } svg { break-inside: avoid; } .table { overflow: visible; }
               table { font-size: 8px; } }
</style>
</head>
<body>
)";

std::string cells(const std::vector<std::string>& texts, const char* element) {
  std::string row;
  for (const std::string& text : texts) row += fmt::format("<{0}>{1}</{0}>", element, svg::escaped(text));
  return fmt::format("<tr>{}</tr>\n", row);
}

std::string table_element(const StudyTable& table) {
  std::string rows;
  for (const auto& row : table.rows) rows += cells(row, "td");
  return fmt::format("<div class=\"table\"><table>\n<thead>{}</thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
                     cells(table.head, "th"), rows);
}

std::string note(const std::string& text) { return fmt::format("<p class=\"note\">{}</p>\n", svg::escaped(text)); }

}  // namespace

std::string study_html(const StudySummary& study) {
  std::string page = kHead;
  page += fmt::format("<h1>Token reduction on {}</h1>\n", prompts_text(study));
  page += table_element(arm_table(study));
  page += note(table_notes(study));
  for (const Chart& chart : {pareto_plot(study), scorer_plot(study), norm_plot(study), last_ratio_plot(study),
                             overlap_plot(study), frequency_plot(study)}) {
    page += draw(chart);
  }
  page += draw(latency_plot(study));
  const StudyTable parts = part_table(study);
  if (!parts.rows.empty()) page += table_element(parts) + note(part_notes());
  return page + "</body>\n</html>\n";
}

}  // namespace faststar
