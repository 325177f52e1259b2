#pragma once
#include "core/pipeline/job.h"

namespace faststar {

/// Throws Error(output) when a disk has less space than the files of `job` take there at the very least, however well
/// they compress. No promise that they fit.
void check_disk_space(const GenerateJob& job);

}  // namespace faststar
