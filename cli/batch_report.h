#pragma once
#include <string>

#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/batch/run_batch.h"

namespace faststar {

/// Lines for people: what was made, what failed and why.
std::string describe(const BatchSummary& summary);
/// {"folder","videos","found","made","elsewhere","text_cut","failed":[{"file","error"}]}
std::string to_json(const BatchSummary& summary, const BatchFolder& folder);

/// A line a gap, "missing scene/alley-0.mp4", and how many there are.
std::string describe(const Coverage& coverage);
/// {"folder","expected","missing":[],"damaged":[],"foreign":[]}
std::string to_json(const Coverage& coverage, const BatchFolder& folder);

}  // namespace faststar
