#pragma once
#include <filesystem>
#include <memory>

namespace faststar {

/// A stretch of another file's sound, read and ready to be copied as it is.
class SoundTrack;

/// Which stretch: seconds of the video in `file`, counted from its first frame.
struct SoundPart {
  std::filesystem::path file;
  double start = 0;
  double seconds = 0;
};

/// The sound of `part`, or nothing when there is none. One warning line when there is sound that a video called
/// `video` cannot hold, or that is damaged: it is dropped. Throws Error(input) when the file cannot be opened.
std::shared_ptr<const SoundTrack> read_sound(const SoundPart& part, const std::filesystem::path& video);

}  // namespace faststar
