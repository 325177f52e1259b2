#pragma once
#include "core/pipeline/run.h"
#include "support/support.h"

namespace faststar::test {

/// A request of the tiny preset with one narrow layer, as flags ask: a run takes half a second on a CPU. A video is a
/// second long and called v.mp4 in `folder`, a picture p.png.
Request small_request(const TempDir& folder, at::Device device, FieldTexts flags = {}, Task task = Task::text_to_video);

/// Flags for a video in `file` (.mkv) that is the same, byte by byte, whenever its frames are. H.264 is not: x264 0.164
/// reads beyond its own buffers where frames are noise, and what lies there decides.
FieldTexts exact_output(const std::filesystem::path& file);

/// Plans and runs a request with a model of its own.
void run(const Request& request, Progress& progress,
         const std::function<void(const std::filesystem::path&)>& on_file = {});
void make(const Request& request);

}  // namespace faststar::test
