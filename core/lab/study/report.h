#pragma once
#include <filesystem>
#include <string>

#include "core/lab/study/statistics.h"

namespace faststar {

/// All figures of a study.
std::string study_json(const StudySummary& study);

/// Tables of the variants and of the times of the parts, in Markdown, with notes.
std::string study_markdown(const StudySummary& study);

/// One self-contained page with tables and plots.
std::string study_html(const StudySummary& study);

/// Summarizes all results in `folder`, writes study.json and study.html beside them, and returns the Markdown. Throws
/// Error(input) when there are none or one is damaged, Error(output).
std::string write_study_report(const std::filesystem::path& folder);

}  // namespace faststar
