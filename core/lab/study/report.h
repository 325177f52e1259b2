#pragma once
#include <filesystem>
#include <string>

#include "core/lab/study/statistics.h"

namespace faststar {

/// Every figure of a study, for other programs.
std::string study_json(const StudySummary& study);

/// The arms and the times of the parts as tables in Markdown, and what their columns say.
std::string study_markdown(const StudySummary& study);

/// The study as one page that needs nothing else: tables and plots.
std::string study_html(const StudySummary& study);

/// Joins all results in `folder`, writes study.json and study.html beside them, and returns the Markdown. Throws
/// Error(input) when there are none or one is damaged, Error(output).
std::string write_study_report(const std::filesystem::path& folder);

}  // namespace faststar
