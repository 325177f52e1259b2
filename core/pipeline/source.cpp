#include "core/pipeline/source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/media/frame_source.h"
#include "core/media/image.h"
#include "core/media/video_reader.h"
#include "core/model/vae/architecture.h"

namespace faststar {
namespace {

constexpr double kFramesPerSecond = 16;
constexpr double kAlmost = 1e-3;  // seconds: containers round times to 1/1000

/// Resizes frames to the run's pixels; says once what that cuts or adds.
FrameTransform fitting(const std::filesystem::path& file, PixelSize source, const VideoSize& size, Fit fit) {
  const PixelSize target{size.height, size.width};
  const std::string change = plan_fit(source, target, fit).text();
  if (!change.empty()) log::info("{}: {}", file.string(), change);
  return [target, fit](const Tensor& frame) { return fit_to(frame, target, fit); };
}

/// uint8 [F, H, W, 3] -> what the encoder takes.
Tensor pixels_of_frames(const Tensor& frames) {
  std::vector<Tensor> pixels;
  for (const Tensor& frame : frames.unbind()) pixels.push_back(to_pixels(frame));
  return at::stack(pixels, 1).unsqueeze(0);
}

Tensor read_picture(const SourceClip& source, const VideoSize& size) {
  const Tensor image = read_image(source.file);
  if (!is_picture(source.file)) {
    log::warn("{}: this is a video, only its first frame is used; `faststar v2v` continues videos",
              source.file.string());
  }
  return pixels_of_frames(fitting(source.file, {image.size(0), image.size(1)}, size, source.fit)(image).unsqueeze(0));
}

/// `count` frames of the span of a video that begins at `start` seconds.
Tensor read_span(VideoReader& video, const FrameSpan& span, const FrameTransform& transform) {
  if (!video.info().variable_rate) {
    return frames_at(video, frame_indices(video.info().fps, video.info().frames, span), transform);
  }
  // As with even frames the end is exclusive: the last frame is shown in its place.
  const double last = video.info().duration - kAlmost;
  std::vector<double> times;
  for (int64_t frame = 0; frame < span.count; ++frame) {
    times.push_back(std::min(std::max(span.start, 0.0) + static_cast<double>(frame) / kFramesPerSecond, last));
  }
  return frames_shown_at(video, times, transform);
}

FrameSpan last_span(const VideoInfo& info, double seconds, int64_t frames) {
  if (info.variable_rate) return {info.duration - seconds, info.duration, frames};
  return last_seconds(info.fps, info.frames, seconds, frames);
}

void check_length(const std::filesystem::path& file, const VideoInfo& info, double start, double seconds) {
  const double slack = info.variable_rate ? 0.5 / info.fps : 0;  // the last frame's end may be rounded, or not known
  if (info.duration + slack >= start + seconds) return;
  const std::string from = start > 0 ? fmt::format(" after --start {:g}", start) : "";
  fail(ErrorKind::input,
       fmt::format("{}: expected at least {:g} s of video{}, but it is {:.2f} s long", file.string(), seconds, from,
                   info.duration),
       start > 0 ? "use a smaller --start" : "use a longer video");
}

}  // namespace

Tensor read_source(const SourceClip& source, const VideoSize& size) {
  const int64_t frames = frames_of_latents(source.latents);
  if (frames == 1) return read_picture(source, size);
  if (is_picture(source.file)) {
    fail(ErrorKind::input, fmt::format("{}: this is a picture, expected a video", source.file.string()),
         "faststar i2v --image starts from a picture");
  }
  VideoReader video(source.file);
  const double seconds = static_cast<double>(frames - 1) / kFramesPerSecond;
  check_length(source.file, video.info(), source.start.value_or(0), seconds);
  const FrameSpan span = source.start ? FrameSpan{*source.start, *source.start + seconds, frames}
                                      : last_span(video.info(), seconds, frames);
  const auto transform = fitting(source.file, {video.info().height, video.info().width}, size, source.fit);
  return pixels_of_frames(read_span(video, span, transform));
}

std::shared_ptr<const SoundTrack> read_source_sound(const Request& request) {
  if (request.task != Task::video_to_video) return nullptr;
  const std::filesystem::path& video = request.outputs.front().file;
  if (request.source->only_new || is_frame_folder(video)) {
    drop_sound(request.source->file, request.source->only_new ? "it belongs to the part that --only-new leaves out"
                                                              : "a folder of frames holds none");
    return nullptr;
  }
  const double seconds = static_cast<double>(frames_of_latents(request.source->latents)) / kFramesPerSecond;
  return read_sound({request.source->file, request.source->start.value_or(0), seconds}, video, request.encoding);
}

}  // namespace faststar
