#pragma once
#include "core/media/ffmpeg.h"
#include "core/media/sound_track.h"

namespace faststar {

/// The container that a video's name asks for: "mp4", "matroska", or nullptr for another ending.
const char* container_name(const std::filesystem::path& video);

/// Copies the packets of a sound track into a container that is being written.
class SoundCopier {
 public:
  /// Adds a stream to `output`, whose header is not written yet. Throws Error(input).
  SoundCopier(const SoundTrack& track, AVFormatContext& output);
  /// Writes all packets, once the header is written. Throws Error(input), Error(output).
  void write(AVFormatContext& output);

 private:
  SoundTrack track_;
  ffmpeg::InputPtr input_;
  const AVStream* from_;
  AVStream* to_;
};

}  // namespace faststar
