#pragma once
#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/atomic_file.h"
#include "core/media/frame_sinks.h"
#include "core/media/resize.h"

namespace faststar {

struct VideoFormat {
  int width = 0;   ///< pixels; even for H.264
  int height = 0;  ///< pixels; even for H.264
  int fps = 16;    ///< frames per second; InfinityStar makes 16
};

/// For frames of `size`; `fps` is rounded to a whole number, at least 1.
VideoFormat video_format(PixelSize size, double fps);

/// Speed against size of libx264.
enum class H264Preset { ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, veryslow, placebo };
/// As FFmpeg names them, in the order of the enumerators.
inline constexpr std::array<std::string_view, 10> kH264Presets = {
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"};

struct VideoEncoding {
  bool lossless = false;                   ///< FFV1 in .mkv, exactly the RGB given; else H.264 (libx264, yuv420p)
  int crf = 17;                            ///< H.264 constant rate factor, 0 (best, largest) to 51; others follow
  H264Preset preset = H264Preset::medium;  ///< slower presets make smaller files
};

/// Part of another file's sound, ready to be copied without decoding.
struct SoundTrack;

/// Which part: seconds of the video in `file`, counted from its first frame.
struct SoundPart {
  std::filesystem::path file;
  double start = 0;
  double seconds = 0;
};

/// Says, as read_sound() does, what a video has beside its pictures, none of which is taken. Throws Error(input) when
/// the file cannot be opened.
void drop_sound(const std::filesystem::path& video, const char* why);

/// The sound of `part`, or nothing when there is none. Sound that a video called `video` cannot hold, or that is
/// damaged, is dropped with one warning; other sound tracks and subtitles with another one. Throws Error(input) when
/// the file cannot be opened.
std::shared_ptr<const SoundTrack> read_sound(const SoundPart& part, const std::filesystem::path& video,
                                             const VideoEncoding& encoding = {});

/// Which settings mean something for a video of that name.
struct VideoUse {
  bool preset;
  bool crf;
  bool metadata;  ///< it can hold a comment
};
VideoUse video_use(const std::filesystem::path& path, const VideoEncoding& encoding);

/// True when its writer takes planes of YUV420P, besides RGB.
bool takes_planes(const std::filesystem::path& path, const VideoEncoding& encoding);

/// What a video file holds besides its frames.
struct VideoExtras {
  std::string comment;                      ///< the container's comment (settings as JSON), unless empty
  std::shared_ptr<const SoundTrack> sound;  ///< from read_sound(); silent without
};

/// Throws when make_video_writer() would: Error(usage) for an unsuitable file name or size, Error(output) when
/// this FFmpeg lacks the encoder. Touches no file: call it before any long work.
void check_video_output(const std::filesystem::path& path, const VideoFormat& format, const VideoEncoding& encoding);

/// A video file, encoded while frames are written; the suffix of its name chooses container and codec: .mp4, .mkv, .mov
/// (H.264), .webm (VP9, or AV1), .gif and .webp (animations that repeat for ever). Exactly `fps`, BT.601 tags
/// (smpte170m, limited range), index at the front. The same frames give the same bytes. Until publish() it has a
/// temporary name beside the final one. Where takes_planes() is true, it takes YUV420P planes besides RGB, uint8 [F, 3
/// H / 2, W] (core/model/vae/yuv420.h), and gives the same file for them as for the RGB that they were made from.
/// Throws as check_video_output, and Error(output) when the file cannot be made, as its write() does when the disk is
/// full or fails.
std::unique_ptr<FrameSink> make_video_writer(const std::filesystem::path& path, const VideoFormat& format,
                                             const VideoEncoding& encoding, const VideoExtras& extras,
                                             Existing existing);

}  // namespace faststar
