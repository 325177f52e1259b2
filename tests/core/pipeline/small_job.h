#pragma once
#include "cli/plan_job.h"
#include "core/pipeline/generation.h"
#include "support/support.h"

namespace faststar::test {

/// A job of the tiny preset with one narrow layer, as flags ask: a run takes half a second on a CPU. A video is a
/// second long and called v.mp4 in `folder`, a picture p.png.
GenerateJob small_job(const TempDir& folder, at::Device device, FieldTexts flags = {}, Task task = Task::text_to_video);

/// Runs a job on an engine of its own.
void run(const GenerateJob& job, Progress& progress,
         const std::function<void(const std::filesystem::path&)>& on_file = {});
void make(const GenerateJob& job);

}  // namespace faststar::test
