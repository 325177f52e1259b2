#pragma once
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "core/pipeline/job.h"

namespace faststar {

/// The files of a run, one JobOutput a seed, each checked to be creatable. With -o and several seeds each file
/// name gets its seed; without -o it is ./<slug>-<seed>.mp4 (or .mkv, .png), then -2, -3, ... behind a taken name.
/// Throws Error(output) for a name that cannot be written.
std::vector<JobOutput> choose_outputs(Task task, const OutputConfig& config, const std::string& prompt,
                                      const std::vector<int64_t>& seeds);

/// All files that the outputs name, without folders of frames.
std::vector<std::filesystem::path> files_of(const std::vector<JobOutput>& outputs);

/// Throws Error(usage) when an output is a file that the run reads: --overwrite would replace it.
void spare_inputs(const std::vector<std::filesystem::path>& outputs,
                  const std::vector<std::optional<std::string>>& inputs);

}  // namespace faststar
