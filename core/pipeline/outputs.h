#pragma once
#include <vector>

#include "core/media/video_writer.h"
#include "core/pipeline/request.h"

namespace faststar {

/// Sets the files of a run, one RequestedOutput a seed, each checked to be creatable, and claimed: no other run takes
/// its name. {prompt}, {seed}, {index} (from 0) and {date} in a name are filled in; with several seeds, one without
/// {seed} and {index} gets its seed. Without -o it is ./<slug>-<seed>.mp4 (or .mkv, .png), then -2, -3, ... behind a
/// taken name. `request` has task, prompt, size and encoding; `inputs` are the files that the run reads. Throws
/// Error(output) for a name that cannot be written or a format that this FFmpeg cannot make, Error(usage) for one of
/// `inputs` or of an unknown format. A process that helps another one writes nothing: it looks at no names.
void choose_outputs(Request& request, const OutputConfig& config, const std::vector<int64_t>& seeds,
                    const std::vector<std::optional<std::string>>& inputs);

/// Warns of H.264 that few programs play.
void warn_about_crf(const std::filesystem::path& video, const VideoEncoding& encoding);

/// Throws Error(usage) when an output is a file that the run reads: --overwrite would replace it.
void spare_inputs(const std::filesystem::path& output, const std::vector<std::optional<std::string>>& inputs);

/// Throws Error(output) when a disk has less space than the files of `request` take there at the very least, however
/// well they compress. No promise that they fit.
void check_disk_space(const Request& request);

/// Bytes for the video of `request`, with plenty to spare.
double ample_bytes(const Request& request);

/// Size and rate of a video.
VideoFormat format_of(const VideoSize& size);

/// The scale of a clip, counted from its first, whose accumulated features are worth a preview: it shows the whole
/// clip, and most of the work is still to come.
int preview_scale(const Schedule& schedule);

}  // namespace faststar
