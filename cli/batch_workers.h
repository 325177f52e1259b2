#pragma once
#include <string>
#include <vector>

#include "cli/batch_options.h"
#include "core/config/config.h"
#include "core/pipeline/batch/run_batch.h"

namespace faststar {

/// Runs the batch in one process a device: this program again, on the same folder, where the locks share the items
/// out. Passes on their messages with the device before each, shows one progress for all, and stops them as it is
/// stopped itself. Returns the exit code: the first of theirs that is neither 0 nor 1, else 1 when videos failed.
int run_batch_workers(const BatchOptions& options, const std::vector<std::string>& devices, const BatchRun& run,
                      const RuntimeConfig& runtime);

/// The command line of one of them, without the program.
std::vector<std::string> worker_arguments(const BatchOptions& options, const std::string& device);

}  // namespace faststar
