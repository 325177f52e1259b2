#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/options/options.h"
#include "core/config/config.h"
#include "core/pipeline/batch/run_batch.h"

namespace faststar {

/// The command line of `faststar batch`; batch.cpp runs it.
struct BatchOptions {
  std::string list;
  std::string refined;
  std::string images;
  std::string shard;
  std::string devices;
  int samples = 0;  ///< 0: the default of the list's kind
  int retries = 1;
  bool vbench = false;
  bool check = false;
  bool keep_codes = false;
  MakingOptions making;
};

/// Runs the batch in one process per device: this program again, on the same folder, where locks share the items out.
/// Logs their messages with the device in front, shows one progress bar, and stops them when stopped itself. Returns
/// the exit code: the first of theirs that is neither 0 nor 1, else 1 when videos failed.
int run_batch_workers(const BatchOptions& options, const std::vector<std::string>& devices, const BatchRun& run,
                      const RuntimeConfig& runtime);

}  // namespace faststar
