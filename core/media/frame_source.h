#pragma once
#include <filesystem>
#include <optional>
#include <variant>

#include "core/media/resize.h"
#include "core/media/video_reader.h"

namespace faststar {

/// The frames of a video, or the one of a picture, in order.
class FrameSource {
 public:
  /// Whether it is a picture is told from the content. Throws Error(input) as VideoReader and read_image.
  explicit FrameSource(const std::filesystem::path& path);

  PixelSize size() const;
  int64_t frames() const;
  /// Frames a second; nothing for a picture.
  std::optional<double> fps() const;
  /// uint8 [H, W, 3] RGB; nothing after the last.
  std::optional<Tensor> next();

 private:
  std::variant<Tensor, std::unique_ptr<VideoReader>> source_;  // the picture, or the video
  bool picture_taken_ = false;
};

}  // namespace faststar
