#include "core/pipeline/redecode.h"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/pipeline/decode.h"

namespace faststar {
namespace {

/// A video of one clip as long as the codes.
Workload workload_of(const Model& model, const Tensor& codes) {
  const Scale size{
      .t = static_cast<int>(codes.size(2)), .h = static_cast<int>(codes.size(3)), .w = static_cast<int>(codes.size(4))};
  return {.star = model.checkpoints().star_architecture,
          .t5 = model.checkpoints().t5_architecture,
          .vae = model.checkpoints().vae_architecture,
          .schedule = Schedule({size}),
          .repetitions = {{1}, {1}},
          .decoded_latents = codes.size(2),
          .dtype = model.dtype(),
          .device = model.device()};
}

OutputFiles files_of(const RedecodeJob& job, const Tensor& codes) {
  const std::string comment = to_comment({.version = FASTSTAR_VERSION,
                                          .command = job.codes.command,
                                          .settings_json = job.output.settings_json,
                                          .run_json = ""});
  return {.file = job.output.file,
          .frames_dir = job.output.frames_dir,
          .format = {.width = static_cast<int>(pixels_of_features(codes.size(4))),
                     .height = static_cast<int>(pixels_of_features(codes.size(3)))},
          .encoding = job.encoding,
          .extras = {job.metadata == Metadata::write ? comment : "", nullptr},
          .existing = job.existing};
}

int64_t frames_left_out(const RedecodeJob& job) {
  int64_t latents = 0;
  for (size_t clip = 0; clip < std::min(job.clips_left_out, job.codes.clips.size()); ++clip) {
    latents += job.codes.clips[clip].size(2);
  }
  return latents == 0 ? 0 : frames_of_latents(latents);
}

/// Codes mean something to the VAE of their own model only.
void check_model(const Model& model, const RedecodeJob& job) {
  if (model.vae_fingerprint() == job.codes.vae_fingerprint) return;
  fail(ErrorKind::model, fmt::format("{}: another VAE than the one of the codes", model.checkpoints().vae->origin()),
       "--model DIR names the model that made them");
}

}  // namespace

void check_redecode(const Model& model, const RedecodeJob& job) {
  check_model(model, job);
  const Tensor codes = job.codes.joined();
  const OutputFiles files = files_of(job, codes);
  if (codes.size(2) == 1) {
    check_image_output(files.file);
  } else {
    check_video_output(files.file, files.format, files.encoding);
  }
  const MemoryPlan memory = choose_decode_plan(workload_of(model, codes), model.budget());
  log::info("size: {}x{}, {} frames; memory: {:.1f} GB", files.format.width, files.format.height,
            frames_of_latents(codes.size(2)), static_cast<double>(memory.decode) * 1e-9);
}

void redecode(Model& model, const RedecodeJob& job, Progress& progress) {
  const c10::InferenceMode inference;
  const Tensor codes = job.codes.joined();
  const Workload work = workload_of(model, codes);
  const double cost = decode_seconds(work, codes.size(2));
  progress.plan(Stage::decode, cost);
  const MemoryPlan memory = choose_decode_plan(work, model.budget());
  CodeDecoder decoder(model.vae(VaeParts::decoder), codes.to(model.device()), files_of(job, codes),
                      {job.first_frame, frames_left_out(job)});
  decoder.run(memory.mode.decode, DecodeProgress(progress, Stage::decode, cost, model.device()));
  decoder.finish();
}

}  // namespace faststar
