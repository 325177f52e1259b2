#include "core/pipeline/decode.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/device.h"
#include "core/base/error.h"

namespace faststar {

DecodeProgress::DecodeProgress(Progress& progress, Stage stage, double cost, at::Device device)
    : progress_(progress), stage_(stage), cost_(cost), device_(device) {}

void DecodeProgress::operator()(int64_t done, int64_t total) {
  synchronize(device_);
  const int64_t more = std::max<int64_t>(0, done - before_);
  before_ += more;
  progress_.advance(stage_, cost_ * static_cast<double>(more) / static_cast<double>(total),
                    fmt::format("frame {}/{}", done, total));
  if (progress_.stop_requested()) fail(ErrorKind::interrupted, "stopped; finished files are kept");
}

CodeDecoder::CodeDecoder(const VideoVae& vae, const Tensor& codes, const OutputFiles& files, const ShownFrames& shown,
                         FrameListener on_shown)
    : vae_(vae),
      codes_(codes),
      files_(files),
      left_out_(shown.begin),
      stream_(shown.first_frame),
      on_shown_(std::move(on_shown)) {
  if (codes.size(2) > 1) video_.emplace(files);
}

void CodeDecoder::show(const std::optional<Tensor>& frames) {
  if (!frames) return;
  const int64_t skipped = std::min(left_out_, frames->size(0));
  left_out_ -= skipped;
  const Tensor shown = frames->narrow(0, skipped, frames->size(0) - skipped);
  if (on_shown_) on_shown_(shown);
  if (video_) return video_->write(shown);
  write_picture(files_, shown);
}

void CodeDecoder::run(const DecodeOptions& options, const DecodeListener& listener) {
  const int64_t total = frames_of_latents(codes_.size(2));
  int64_t done = 0;
  const auto on_frames = [&](const Tensor& decoded) {
    show(stream_.push(decoded));
    done += decoded.size(2);
    listener(done, total);
  };
  vae_.decode(codes_, on_frames, options);
  show(stream_.finish());
}

void CodeDecoder::finish() {
  if (video_) video_->finish();
}

}  // namespace faststar
