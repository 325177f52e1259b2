#pragma once
// Included by sources of core/media only.
#include <array>
#include <filesystem>
#include <string>

#include "core/media/colour.h"
#include "core/media/video_writer.h"

namespace faststar {

/// How a video is stored whose name ends in `suffix`.
struct VideoKind {
  const char* suffix;
  const char* container;                ///< FFmpeg's muxer
  std::array<const char*, 3> encoders;  ///< the first that this FFmpeg has is taken; nullptr: none
  StoredColour colour;
  const char* instead;  ///< for an FFmpeg without it
  bool has_speed;       ///< --preset means something
  bool has_quality;     ///< --crf means something
  bool holds_comment;
};

/// The kind of the name of `video` and its encoding. Throws Error(usage) for another suffix, or one that does not hold
/// lossless video.
const VideoKind& video_kind(const std::filesystem::path& video, const VideoEncoding& encoding);

/// An encoder of `kind` that is not open yet. Throws Error(output) when this FFmpeg has none, or not what else it
/// takes.
ffmpeg::CodecPtr make_encoder(const VideoKind& kind);

/// What the encoder `codec` of `kind` is opened with.
void set_encoder_options(const VideoKind& kind, const VideoEncoding& encoding, const AVCodecContext& codec,
                         ffmpeg::Options& options);

/// True for a kind whose 256 colours must be chosen first: see kPaletteChain.
bool needs_palette(const VideoKind& kind);

/// The filters that choose the colours of a whole video and dither with them.
inline constexpr const char* kPaletteChain =
    "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=sierra2_4a:diff_mode=rectangle";

}  // namespace faststar
