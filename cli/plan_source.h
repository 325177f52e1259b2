#pragma once
#include "core/config/resolve.h"
#include "core/engine/job.h"

namespace faststar {

/// What a task goes on from; nothing for those that start from words. Throws Error(usage) when the picture or video
/// was not named.
std::optional<JobSource> plan_source(Task task, const ResolvedSettings& resolved);

/// Sets the length of a video that goes on from another: without --duration, one clip more than it has.
/// Throws Error(usage) when nothing would be new.
void choose_continued_duration(ResolvedSettings& resolved);

/// The source's sound for its part of a video called `file`; nothing when that part is left out or silent.
std::optional<SoundTrack> plan_sound(const GenerateJob& job, const std::filesystem::path& file);

}  // namespace faststar
