#include "core/pipeline/outputs.h"

#include <ATen/ATen.h>

#include "core/media/background_sink.h"
#include "core/media/frame_folder_writer.h"
#include "core/media/image.h"

namespace faststar {

VideoEncoding encoding_of(const OutputConfig& output) {
  return {.codec = output.lossless ? VideoEncoding::Codec::lossless : VideoEncoding::Codec::h264,
          .crf = output.crf,
          .preset = std::string(choice_name(output.preset))};
}

VideoFormat format_of(const OutputFiles& files) {
  return {.width = static_cast<int>(files.width), .height = static_cast<int>(files.height)};
}

VideoOutput::VideoOutput(const OutputFiles& files) {
  sinks_.push_back(std::make_unique<BackgroundSink>(std::make_unique<VideoWriter>(
      files.file, format_of(files), files.encoding, VideoExtras{files.comment, files.sound}, files.existing)));
  if (files.frames_dir) {
    sinks_.push_back(
        std::make_unique<BackgroundSink>(std::make_unique<FrameFolderWriter>(*files.frames_dir, files.existing)));
  }
}

void VideoOutput::write(const Tensor& frames) {
  const Tensor host = frames.cpu().contiguous();
  for (const auto& sink : sinks_) sink->write(host);
}

void VideoOutput::finish() {
  for (const auto& sink : sinks_) sink->complete();
  for (const auto& sink : sinks_) sink->publish();
}

void write_picture(const OutputFiles& files, const Tensor& frame) {
  write_image(files.file, frame[0].cpu().contiguous(), files.comment, files.existing);
}

}  // namespace faststar
