#pragma once
#include <vector>

#include "core/media/ffmpeg.h"
#include "core/media/sound_track.h"

namespace faststar {

/// The container that a video's name asks for: "mp4", "matroska", or nullptr for another ending.
const char* container_name(const std::filesystem::path& video);

class SoundTrack {
 public:
  struct FreeParameters {
    void operator()(AVCodecParameters* parameters) const { avcodec_parameters_free(&parameters); }
  };

  std::unique_ptr<AVCodecParameters, FreeParameters> parameters;
  AVRational time_base = {1, 1};
  std::vector<ffmpeg::PacketPtr> packets;  ///< time stamps count from the start of the part

  /// A stream for it in a container whose header is not written yet.
  AVStream& add_stream(AVFormatContext& output) const;
  /// Writes all packets, once the header is written. Throws Error(output).
  void write(AVFormatContext& output, const AVStream& stream) const;
};

}  // namespace faststar
