#pragma once
#include <string>
#include <vector>

#include "cli/progress/progress.h"

namespace faststar {

/// Trains in one process a device: this program again with `arguments` (those of `faststar train`), its device and its
/// place among the others. Passes on what the first one says; the others say the same. One that fails ends the
/// others: its error is thrown, named after its device. Returns the exit code.
int run_train_workers(const std::vector<std::string>& arguments, const std::vector<std::string>& devices,
                      ProgressStyle style);

}  // namespace faststar
