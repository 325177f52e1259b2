#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/lab/study/report.h"
#include "core/lab/study/table.h"

namespace faststar {
namespace {

std::string markdown_of(const StudyTable& table) {
  std::string text = fmt::format("| {} |\n|", fmt::join(table.head, " | "));
  for (size_t i = 0; i < table.head.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& row : table.rows) text += fmt::format("| {} |\n", fmt::join(row, " | "));
  return text;
}

}  // namespace

std::string study_markdown(const StudySummary& study) {
  std::string text = fmt::format("{}\n{}\n", markdown_of(arm_table(study)), table_notes(study));
  const StudyTable parts = part_table(study);
  if (!parts.rows.empty()) text += fmt::format("\n{}\n{}\n", markdown_of(parts), part_notes());
  return text;
}

}  // namespace faststar
