#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/progress.h"
#include "core/config/resolve.h"

namespace faststar {

inline constexpr const char* kStandardStudy = "study-reduction";

/// What `faststar study reduction` is asked for.
struct StudyRequest {
  SettingsRequest settings;
  std::string out;                     ///< folder of the results
  std::string study = kStandardStudy;  ///< name or file of the variants
  std::string variants;                ///< of these only the named ones, comma-separated; empty: all
  std::string prompts;                 ///< a list in the formats of batch; empty: captions of the world
  int64_t world = 0;                   ///< held-out captions; 0: none
  std::string seed = "0";              ///< a text: FASTSTAR_SEED may hold a value that only other commands accept
  std::string shard;                   ///< of choose_shard
  bool no_controls = false;
};

/// Runs the variants of a study that have no results yet. `make_progress` is called when all is checked and the model
/// is open. Returns the number of processes that share the study. Throws Error of the kind that the exit code names.
int run_reduction_study(const StudyRequest& request,
                        const std::function<std::unique_ptr<Progress>(const RuntimeConfig&)>& make_progress);

}  // namespace faststar
