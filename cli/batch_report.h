#pragma once
#include <string>

#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/batch/run_batch.h"

namespace faststar {

/// Text: how many videos were made, and which failed and why.
std::string describe(const BatchSummary& summary);
/// {"folder","videos","found","made","elsewhere","text_cut","failed":[{"file","error"}]}
std::string to_json(const BatchSummary& summary, const BatchFolder& folder);

/// Text: a line per problem, such as "missing scene/alley-0.mp4", and the counts.
std::string describe(const Coverage& coverage);
/// {"folder","expected","missing":[],"damaged":[],"foreign":[]}
std::string to_json(const Coverage& coverage, const BatchFolder& folder);

}  // namespace faststar
