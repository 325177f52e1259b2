#pragma once
#include <filesystem>
#include <optional>

namespace faststar {

/// A stretch of another file's sound, to be copied as it is.
struct SoundTrack {
  std::filesystem::path file;
  double start = 0;    ///< seconds
  double seconds = 0;  ///< how much of it
};

/// The sound of `track` when a video called `video` can hold it; nothing when there is none. Warns in one line when
/// there is one that does not fit into the container. Throws Error(input) when the file cannot be opened.
std::optional<SoundTrack> usable_sound(const SoundTrack& track, const std::filesystem::path& video);

}  // namespace faststar
