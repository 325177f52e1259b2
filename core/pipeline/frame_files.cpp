#include "core/pipeline/frame_files.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/media/image.h"

namespace faststar {
namespace {

/// Slices whose frames may still be on the GPU when the next one is queued there.
constexpr size_t kSlicesInFlight = 1;

std::optional<VideoOutput> open_video(const OutputFiles& files, int64_t latents) {
  return latents > 1 ? std::optional<VideoOutput>(std::in_place, files) : std::nullopt;
}

}  // namespace

VideoOutput::VideoOutput(const OutputFiles& files)
    : takes_planes_(!is_frame_folder(files.file) && takes_planes(files.file, files.encoding) && !files.frames_dir) {
  sinks_.push_back(
      in_background(is_frame_folder(files.file)
                        ? make_frame_folder_writer(files.file, files.existing)
                        : make_video_writer(files.file, files.format, files.encoding, files.extras, files.existing)));
  if (files.frames_dir) {
    sinks_.push_back(in_background(make_frame_folder_writer(*files.frames_dir, files.existing)));
  }
}

FrameFormat VideoOutput::frame_format(at::Device device) const {
  return takes_planes_ && device.is_cuda() ? FrameFormat::yuv420 : FrameFormat::rgb;
}

void VideoOutput::write(const Tensor& frames) {
  for (const auto& sink : sinks_) sink->write(frames);
}

void VideoOutput::finish() {
  for (const auto& sink : sinks_) sink->complete();
  for (const auto& sink : sinks_) sink->publish();
}

FrameFiles::FrameFiles(const OutputFiles& files, const ShownFrames& shown, const Source& source,
                       std::function<void(int64_t frames)> on_done)
    : files_(files),
      video_(open_video(files, source.latents)),
      left_out_(shown.begin),
      stream_(shown.first_frame, video_ && !source.keep ? video_->frame_format(source.device) : FrameFormat::rgb),
      keep_(source.keep),
      on_done_(std::move(on_done)) {}

void FrameFiles::push(const Tensor& decoded) {
  in_flight_.push_back({start_copy(stream_.push(decoded)), decoded.size(2)});
  while (in_flight_.size() > kSlicesInFlight) hand_on_first();
}

std::vector<Tensor> FrameFiles::finish() {
  in_flight_.push_back({start_copy(stream_.finish()), 0});
  while (!in_flight_.empty()) hand_on_first();
  if (video_) video_->finish();
  return std::move(kept_);
}

std::optional<HostCopy> FrameFiles::start_copy(const std::optional<Tensor>& frames) {
  if (!frames) return std::nullopt;
  const int64_t skipped = std::min(left_out_, frames->size(0));
  left_out_ -= skipped;
  return HostCopy(frames->narrow(0, skipped, frames->size(0) - skipped));
}

void FrameFiles::hand_on_first() {
  const Slice slice = std::move(in_flight_.front());
  in_flight_.pop_front();
  if (slice.shown) write(slice.shown->get());
  if (slice.decoded > 0) on_done_(slice.decoded);
}

void FrameFiles::write(const Tensor& frames) {
  if (keep_) kept_.push_back(frames);
  if (video_) return video_->write(frames);
  write_image(files_.file, frames[0].contiguous(), files_.extras.comment, files_.existing);
}

}  // namespace faststar
