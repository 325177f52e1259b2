#pragma once
#include <filesystem>
#include <string>

#include "core/lab/study/frame_strip.h"
#include "core/lab/study/statistics.h"
#include "core/lab/study/study_run.h"

namespace faststar {

/// What a report tells.
struct StudyReport {
  StudySummary summary;
  StudyOrigin origin;
  ShownPrompts shown;
};

/// All figures of a study.
std::string study_json(const StudyReport& report);

/// Who made it, warnings, and tables of the variants and of the times of the parts, in Markdown, with notes.
std::string study_markdown(const StudyReport& report);

/// Summarizes all results in `folder`, writes study.json and study.html beside them, and returns the Markdown. Throws
/// Error(input) when there are none or one is damaged, Error(output).
std::string write_study_report(const std::filesystem::path& folder);

}  // namespace faststar
