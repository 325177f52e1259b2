#pragma once
#include <string>
#include <vector>

#include "core/lab/study/statistics.h"

namespace faststar {

/// A column with the text that explains it; without data it is left out, and its note with it.
struct TableColumn {
  std::string head;
  std::string note;
  std::vector<std::string> cells = {};
};

/// A table of text and what is said below it.
struct StudyTable {
  std::vector<TableColumn> columns;
  std::string notes;

  size_t rows() const { return columns.empty() ? 0 : columns.front().cells.size(); }
};

/// One row per variant.
StudyTable variant_table(const StudySummary& study);

/// The bars of latency_plot as rows, milliseconds; no rows when parts were not timed.
StudyTable part_table(const StudySummary& study);

/// Flipped bits of each scale in %, of the variants with other arithmetic; no rows when there are none.
StudyTable flip_table(const StudySummary& study);

/// "1 prompt", "200 prompts".
std::string prompts_text(const StudySummary& study);

/// What makes the figures doubtful, a sentence or two each: a noise floor whose time differs from that of the dense run
/// by more than kBusyShare.
std::vector<std::string> study_warnings(const StudySummary& study);
inline constexpr double kBusyShare = 0.05;

}  // namespace faststar
