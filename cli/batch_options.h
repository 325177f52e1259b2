#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/options/options.h"
#include "core/pipeline/batch/batch_items.h"

namespace faststar {

/// What the command line of `faststar batch` says.
struct BatchOptions {
  std::string list;
  std::string refined;
  std::string images;
  std::string shard;
  std::string devices;
  int samples = 0;  ///< 0: what the list's kind has
  int retries = 1;
  bool vbench = false;
  bool check = false;
  bool keep_codes = false;
  MakingOptions making;
};

/// Defines the options of the command. `options` has to outlive the parse.
void add_batch_options(CLI::App& command, BatchOptions& options);

/// -o, else FASTSTAR_OUTPUT, else runs/<name of the list>: found without a model, so that a check needs none.
std::filesystem::path batch_root(const BatchOptions& options);

PromptListFiles list_files(const BatchOptions& options, double aspect);

}  // namespace faststar
