#pragma once
#include <filesystem>
#include <memory>

struct AVFormatContext;
struct AVStream;

namespace faststar {

/// Part of another file's sound, ready to be copied without decoding. The functions are for core/media only.
class SoundTrack {
 public:
  virtual ~SoundTrack() = default;
  /// Adds a stream for it to a container whose header is not written yet.
  virtual AVStream& add_stream(AVFormatContext& output) const = 0;
  /// Writes all packets, once the header is written. Throws Error(output).
  virtual void write(AVFormatContext& output, const AVStream& stream) const = 0;
};

/// Which part: seconds of the video in `file`, counted from its first frame.
struct SoundPart {
  std::filesystem::path file;
  double start = 0;
  double seconds = 0;
};

/// The sound of `part`, or nothing when there is none. Sound that a video called `video` cannot hold, or that is
/// damaged, is dropped with one warning. Throws Error(input) when the file cannot be opened.
std::shared_ptr<const SoundTrack> read_sound(const SoundPart& part, const std::filesystem::path& video);

}  // namespace faststar
