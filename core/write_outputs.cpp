#include "core/write_outputs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/media/background_sink.h"
#include "core/media/frame_folder_writer.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/pyramid/schedule.h"
#include "core/weights/safetensors_writer.h"

namespace faststar {
namespace {

std::string comment_of(const GenerateJob& job, const JobOutput& output) {
  if (job.encoding.no_metadata) return "";
  return to_comment(
      {.version = FASTSTAR_VERSION, .command = task_command(job.task), .settings_json = output.settings_json});
}

}  // namespace

VideoEncoding encoding_of(const OutputConfig& output) {
  return {.codec = output.lossless ? VideoEncoding::Codec::lossless : VideoEncoding::Codec::h264,
          .crf = output.crf,
          .preset = std::string(choice_name(output.preset))};
}

VideoOutput::VideoOutput(const GenerateJob& job, const JobOutput& output) {
  const VideoFormat format{.width = job.size.width, .height = job.size.height};
  sinks_.push_back(std::make_unique<BackgroundSink>(std::make_unique<VideoWriter>(
      output.file, format, encoding_of(job.encoding), comment_of(job, output), job.existing)));
  if (output.frames_dir) {
    sinks_.push_back(
        std::make_unique<BackgroundSink>(std::make_unique<FrameFolderWriter>(*output.frames_dir, job.existing)));
  }
}

void VideoOutput::write(const Tensor& frames) {
  const Tensor host = frames.cpu().contiguous();
  for (const auto& sink : sinks_) sink->write(host);
}

void VideoOutput::finish() {
  for (const auto& sink : sinks_) sink->finish();
}

void write_picture(const GenerateJob& job, const JobOutput& output, const Tensor& frame) {
  write_image(output.file, frame[0].cpu().contiguous(), comment_of(job, output), job.existing);
}

void write_codes(const GenerateJob& job, const JobOutput& output, const Schedule& schedule,
                 const Tensor& summed_codes) {
  std::map<std::string, Tensor> tensors;
  for (int clip = 0; clip < schedule.clips(); ++clip) {
    const FrameRange frames = schedule.frames_of(clip);
    tensors[fmt::format("clip.{}.summed_codes", clip)] =
        summed_codes.narrow(2, frames.begin, frames.end - frames.begin);
  }
  write_safetensors(*output.codes, tensors, {{"faststar", output.settings_json}}, job.existing);
}

}  // namespace faststar
