#pragma once
#include <string>
#include <vector>

#include "core/lab/study/statistics.h"

namespace faststar {

/// A table of text.
struct StudyTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

/// One row per variant; empty columns are left out.
StudyTable variant_table(const StudySummary& study);

/// "1 prompt", "200 prompts".
std::string prompts_text(const StudySummary& study);

/// Explains the columns.
std::string table_notes(const StudySummary& study);

/// The bars of latency_plot as rows, milliseconds; no rows when parts were not timed.
StudyTable part_table(const StudySummary& study);

/// Explains the parts and how they were timed.
std::string part_notes();

}  // namespace faststar
