#pragma once
#include <filesystem>
#include <vector>

#include "core/base/progress.h"
#include "core/lab/study/prompt_study.h"
#include "core/pipeline/batch/shard.h"

namespace faststar {

/// A study to run, everything chosen.
struct StudyJob {
  std::filesystem::path folder;
  Shard shard;
  std::vector<StudyPrompt> prompts;    ///< of all processes
  std::vector<StudyVariant> variants;  ///< reduced arms; the controls come before them
};

/// Measures every arm of every prompt of this process's part, but those whose results are there already (see
/// ResultsFile for what is refused). Ends after the arm at hand with Error(interrupted) when `progress` asks to stop.
void run_study(const StudyModel& model, const StudyJob& job, Progress& progress);

}  // namespace faststar
