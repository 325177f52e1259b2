#include "core/lab/study/report.h"

#include <fmt/format.h>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/lab/study/results.h"

namespace faststar {

std::string write_study_report(const std::filesystem::path& folder) {
  const auto records = read_results(folder);
  if (records.empty()) {
    fail(ErrorKind::input, fmt::format("{}: expected results of a study, got none", folder.string()));
  }
  const StudySummary study = summarize_study(records);
  write_file(folder / "study.json", study_json(study), Existing::replace);
  write_file(folder / "study.html", study_html(study), Existing::replace);
  return study_markdown(study);
}

}  // namespace faststar
