#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/study/report.h"
#include "core/study/table.h"

namespace faststar {

std::string study_markdown(const StudySummary& study) {
  const StudyTable table = arm_table(study);
  std::string text = fmt::format("| {} |\n|", fmt::join(table.head, " | "));
  for (size_t i = 0; i < table.head.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& row : table.rows) text += fmt::format("| {} |\n", fmt::join(row, " | "));
  return fmt::format("{}\n{}\n", text, table_notes(study));
}

}  // namespace faststar
