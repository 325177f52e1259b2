#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/media/ffmpeg.h"
#include "core/media/video_writer.h"

namespace faststar::test {

/// `count` frames [count, height, width, 3]; frame i is grey 8 * i + 16 all over, so that it can be recognised.
Tensor numbered_frames(int64_t count, int64_t height = 48, int64_t width = 64);
/// The i of such a frame after any codec.
int64_t number_of(const Tensor& pixels);

/// A texture that moves a pixel a frame to the left: each frame is another, and can be predicted from its neighbours.
Tensor moving_frames(int64_t count, int64_t height = 48, int64_t width = 64);

/// One colour all over: uint8 [height, width, 3].
Tensor plain(int red, int green, int blue, int64_t height = 48, int64_t width = 64);

/// Random pixels, which no codec makes small: uint8 [count, height, width, 3].
Tensor noise_frames(int64_t count, int64_t height, int64_t width);

/// The largest difference of two pictures of one size, in levels.
int largest_difference(const Tensor& a, const Tensor& b);

void write_video(const std::filesystem::path& path, const Tensor& frames, const VideoEncoding& encoding = {},
                 const std::string& comment = "");

/// A lossless .mkv whose frame i appears at times_ms[i].
void write_uneven_video(const std::filesystem::path& path, const Tensor& frames, const std::vector<int64_t>& times_ms);

/// How an H.264 file is made.
struct VideoRecipe {
  const char* container = "mp4";
  const char* without_index = nullptr;  ///< the container's option that leaves its index out, "1" its value
  int keyframe_interval = 8;
  int b_frames = 0;       ///< in a row
  bool open_gop = false;  ///< frames before a keyframe may refer to it
};
/// Frame i appears at times_ms[i].
void write_by_recipe(const std::filesystem::path& path, const Tensor& frames, const std::vector<int64_t>& times_ms,
                     const VideoRecipe& recipe);

/// How pictures of any format become a video.
struct PictureVideo {
  const char* container = "matroska";
  const char* encoder = "ffv1";
  AVRational time_base = {1, 1000};                   ///< of the pictures' times
  std::function<void(AVCodecContext&)> set_up;        ///< changes the encoder before it is opened
  std::function<void(AVFormatContext&)> set_up_file;  ///< changes the container before it is written
};
/// The pictures, each at its own time (pts), all of the first one's size and format, with its colour tags.
void write_pictures(const std::filesystem::path& path, const std::vector<ffmpeg::FramePtr>& pictures,
                    const PictureVideo& recipe = {});

/// What the encoder `name` makes of one picture, written as a file.
void write_encoded(const std::filesystem::path& path, const char* name, const AVFrame& picture);

/// Sound of 16 bits and one channel, `rate` samples a second.
void write_wav(const std::filesystem::path& path, const std::string& samples, uint32_t rate);

/// False, with a line in the output, when this FFmpeg lacks the encoder that a test needs.
bool can_encode(const char* name);
bool can_decode(const char* name);

/// False, with a line in the output, when this FFmpeg does not read, or write, the container that a test needs.
bool can_read(const char* format);
bool can_write(const char* format);
/// The same of a video of this name: container, encoder and filters.
bool can_make(const std::string& video);

/// A tensor of the official preprocessing's fixtures, tests/golden/images.safetensors.
Tensor golden_image(const std::string& name);

/// Names of everything in a folder, sorted.
std::vector<std::string> names_in(const std::filesystem::path& folder);

}  // namespace faststar::test
