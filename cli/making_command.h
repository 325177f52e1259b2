#pragma once
#include "cli/options.h"

namespace faststar {

/// Resolves, checks, says what will run, and runs it. Returns the exit code.
int run_making_command(Task task, MakingOptions options);

}  // namespace faststar
