#pragma once
#include "core/config/resolve.h"
#include "core/pipeline/job.h"

namespace faststar {

/// What a task goes on from; nothing for those that start from words. Throws Error(usage) when the picture or video
/// was not named.
std::optional<JobSource> plan_source(Task task, const ResolvedSettings& resolved);

/// Sets the length of a video that goes on from another: without --duration, one clip more than it has.
/// Throws Error(usage) when nothing would be new.
void choose_continued_duration(ResolvedSettings& resolved);

/// The source's sound for its part of a video called `file`; nothing when that part is left out or silent.
std::shared_ptr<const SoundTrack> plan_sound(const GenerateJob& job, const std::filesystem::path& file);

/// One warning line when the model can do no more with what `job` goes on from than show the mechanics: stories with a
/// model that was not trained for them, and the embedded model with pictures and videos that it did not make. Throws
/// Error(input) when the source cannot be read.
void warn_about_mechanics(const GenerateJob& job);

}  // namespace faststar
