#include "core/lab/study/page.h"

#include <fmt/format.h>

#include "core/base/utf8.h"
#include "core/lab/study/plots.h"
#include "core/lab/study/tables.h"

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
.frontier { stroke: #999; stroke-width: 2; stroke-dasharray: 2 4; }
.axis, .error { stroke: #444; }
.level { stroke: #888; stroke-dasharray: 5 4; }
.origin { display: grid; grid-template-columns: max-content 1fr; gap: 2px 1em; font-size: 13px; margin: 1em 0; }
.origin dt { color: #555; }
.origin dd { margin: 0; overflow-wrap: anywhere; }
.warning { border-left: 4px solid #d55e00; background: #fdf1ea; padding: .5em 1em; max-width: 70em; }
.strips { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 10px 16px; }
.strips figure { margin: 0; }
.strips figcaption { font-size: 12px; }
.strips img { width: 100%; max-width: 760px; display: block; }
.strips figure.dense { grid-column: 1 / -1; max-width: 760px; position: sticky; top: 0; background: #fff;
                       padding-bottom: 6px; }
pre { font-size: 11px; overflow-x: auto; background: #f6f6f6; padding: 1em; }
summary { cursor: pointer; font-size: 13px; color: #555; }
@media print { .strips figure.dense { position: static; } }
@media print { body { margin: 0; max-width: none; } svg { break-inside: avoid; } .table { overflow: visible; }
               table { font-size: 8px; } }
</style>
</head>
<body>
)";

/// Text of files and prompts, whose bytes may be anything.
std::string page_text(const std::string& text) { return html_escaped(printable(text)); }

std::string paragraph(const std::string& css_class, const std::string& text) {
  return fmt::format("<p class=\"{}\">{}</p>\n", css_class, page_text(text));
}

std::string table_element(const StudyTable& table) {
  if (table.rows() == 0) return "";
  std::string heads, rows;
  for (const TableColumn& column : table.columns) heads += fmt::format("<th>{}</th>", page_text(column.head));
  for (size_t row = 0; row < table.rows(); ++row) {
    rows += "<tr>";
    for (const TableColumn& column : table.columns) rows += fmt::format("<td>{}</td>", page_text(column.cells[row]));
    rows += "</tr>\n";
  }
  return fmt::format(
      "<div class=\"table\"><table>\n<thead><tr>{}</tr>\n</thead>\n<tbody>\n{}</tbody>\n</table></div>\n{}", heads,
      rows, paragraph("note", table.notes));
}

std::string origin_element(const StudyOrigin& origin) {
  std::string list;
  for (const OriginLine& line : origin_lines(origin)) {
    const std::string text = page_text(line.text);
    list += fmt::format("<dt>{}</dt><dd>{}</dd>\n", line.name,
                        line.name == "Command" ? fmt::format("<code>{}</code>", text) : text);
  }
  std::string settings;
  if (!origin.parts.empty()) {
    settings = fmt::format("<details><summary>All settings</summary><pre>{}</pre></details>\n",
                           html_escaped(json_text(origin.parts.front().run.all_settings, 2)));
  }
  return fmt::format("<dl class=\"origin\">\n{}</dl>\n{}", list, settings);
}

std::string strip_element(const ShownPrompt::Strip& strip) {
  const std::string note = strip.note.empty() ? "" : ", " + strip.note;
  const std::string name = page_text(strip.variant);
  return fmt::format("<figure{}><figcaption>{}{}</figcaption><img alt=\"{}\" src=\"{}\"></figure>\n",
                     strip.variant == kDenseVariant ? " class=\"dense\"" : "", name, page_text(note), name,
                     strip.frames);
}

/// How many prompts are shown, and why not more.
std::string shown_note(const ShownPrompts& shown) {
  std::string note = fmt::format(
      "Frames of the first {} prompts at most, evenly spaced over the clip, with the PSNR of the clip to the dense "
      "one.",
      kPromptsShown);
  if (shown.left_out == 0) return note;
  return note + fmt::format(" Prompts left out: {}; a page takes at most {} MiB of pictures.", shown.left_out,
                            kMaxShownBytes >> 20);
}

std::string frames_element(const ShownPrompts& shown) {
  if (shown.prompts.empty() && shown.left_out == 0) return "";
  std::string element = "<h2>Frames</h2>\n" + paragraph("note", shown_note(shown));
  for (const ShownPrompt& prompt : shown.prompts) {
    element += fmt::format("<h3>Prompt {}: {} (seed {})</h3>\n<div class=\"strips\">\n", prompt.index + 1,
                           page_text(prompt.text), prompt.seed);
    for (const ShownPrompt::Strip& strip : prompt.strips) element += strip_element(strip);
    element += "</div>\n";
  }
  return element;
}

constexpr const char* kIntroduction =
    "Every variant makes the videos of the dense run again, from the same prompts and seeds. The dense run computes "
    "every token of every pass; speed-ups and distances are to it.";

}  // namespace

std::string study_html(const StudyReport& report) {
  const StudySummary& study = report.summary;
  std::string page = kHead;
  page += fmt::format("<h1>Token reduction on {}</h1>\n", prompts_text(study));
  page += origin_element(report.origin);
  for (const std::string& warning : study_warnings(study)) page += paragraph("warning", "Warning: " + warning);
  page += paragraph("note", kIntroduction);
  page += table_element(variant_table(study));
  for (const Chart& chart : study_plots(study)) page += draw(chart);
  const BarChart latency = latency_plot(study);
  if (!latency.groups.empty()) page += draw(latency);
  page += table_element(part_table(study)) + table_element(flip_table(study));
  page += frames_element(report.shown);
  return page + "</body>\n</html>\n";
}

}  // namespace faststar
