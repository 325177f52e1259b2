#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/pipeline/batch/run_batch.h"
#include "core/pipeline/time_estimate.h"

namespace faststar {

/// One thing that a batch would fail at.
struct BatchProblem {
  std::string origin;  ///< "prompts.jsonl:3", or the folder
  std::string error;
};

/// All that would fail, as far as it shows before weights load: the folder, videos in it that were made from something
/// else, and each entry once, however many videos it makes. `problem_of` is PipelineRunner::problem_of.
std::vector<BatchProblem> find_problems(const BatchRun& run,
                                        const std::function<std::string(const BatchItem&)>& problem_of);

/// A line for each, and the counts.
std::string describe(const std::vector<BatchProblem>& problems, const BatchRun& run);
/// {"command","dry_run","folder","videos","seconds_estimate","estimate_source","problems":[{"origin","error"}]};
/// `time`: of the videos that are missing.
std::string to_json(const std::vector<BatchProblem>& problems, const BatchRun& run,
                    const std::optional<TimeEstimate>& time);

}  // namespace faststar
