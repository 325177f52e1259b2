#include "core/media/frame_source.h"

#include <ATen/ATen.h>

#include <utility>

#include "core/media/image.h"

namespace faststar {

FrameSource::FrameSource(const std::filesystem::path& path) {
  if (is_picture(path)) {
    source_ = read_image(path);
  } else {
    source_ = std::make_unique<VideoReader>(path);
  }
}

PixelSize FrameSource::size() const {
  if (const auto* picture = std::get_if<Tensor>(&source_)) return {picture->size(0), picture->size(1)};
  const VideoInfo& info = std::get<1>(source_)->info();
  return {info.height, info.width};
}

int64_t FrameSource::frames() const {
  return std::holds_alternative<Tensor>(source_) ? 1 : std::get<1>(source_)->info().frames;
}

std::optional<double> FrameSource::fps() const {
  if (std::holds_alternative<Tensor>(source_)) return std::nullopt;
  return std::get<1>(source_)->info().fps;
}

std::optional<Tensor> FrameSource::next() {
  if (const auto* picture = std::get_if<Tensor>(&source_)) {
    if (std::exchange(picture_taken_, true)) return std::nullopt;
    return *picture;
  }
  VideoReader& video = *std::get<1>(source_);
  if (!video.advance()) return std::nullopt;
  return video.pixels();
}

}  // namespace faststar
