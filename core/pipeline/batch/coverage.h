#pragma once
#include <string>
#include <vector>

#include "core/pipeline/batch/batch_folder.h"

namespace faststar {

/// What an evaluator would find of a list's videos. Names are below videos/, in the order of the list.
struct Coverage {
  int64_t expected = 0;
  std::vector<std::string> missing;  ///< no such file
  std::vector<std::string> damaged;  ///< empty, or not of the size that was finished
  std::vector<std::string>
      foreign;  ///< no videos, in the same folders: VBench takes the extension of whatever comes first
  bool complete() const { return missing.empty() && damaged.empty() && foreign.empty(); }
};

/// Looks up every item, and what else lies in their folders. Reads only.
Coverage check_coverage(const BatchFolder& folder, const std::vector<BatchItem>& items);

}  // namespace faststar
