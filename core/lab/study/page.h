#pragma once
#include <string>

#include "core/lab/study/report.h"

namespace faststar {

/// One self-contained page: who made the study, warnings, tables, plots, and frames of the first prompts.
std::string study_html(const StudyReport& report);

}  // namespace faststar
