#pragma once
#include <vector>

#include "core/media/video_writer.h"
#include "core/pipeline/request.h"

namespace faststar {

/// The files of a run, one RequestedOutput a seed, each checked to be creatable. With -o and several seeds each file
/// name gets its seed; without -o it is ./<slug>-<seed>.mp4 (or .mkv, .png), then -2, -3, ... behind a taken name.
/// `request` has task, prompt, size and encoding; `inputs` are the files that the run reads. Throws Error(output) for a
/// name that cannot be written, Error(usage) for one of `inputs` or of another format.
std::vector<RequestedOutput> choose_outputs(const Request& request, const OutputConfig& config,
                                            const std::vector<int64_t>& seeds,
                                            const std::vector<std::optional<std::string>>& inputs);

/// Throws Error(usage) when an output is a file that the run reads: --overwrite would replace it.
void spare_inputs(const std::filesystem::path& output, const std::vector<std::optional<std::string>>& inputs);

/// Throws Error(output) when a disk has less space than the files of `request` take there at the very least, however
/// well they compress. No promise that they fit.
void check_disk_space(const Request& request);

/// Size and rate of a video.
VideoFormat format_of(const VideoSize& size);

}  // namespace faststar
