#include "core/pipeline/redecode.h"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/pipeline/cost_model.h"
#include "core/pipeline/decode.h"

namespace faststar {
namespace {

/// A video of one clip as long as the codes.
Workload workload_of(const Engine& engine, const Tensor& codes) {
  const Scale size{
      .t = static_cast<int>(codes.size(2)), .h = static_cast<int>(codes.size(3)), .w = static_cast<int>(codes.size(4))};
  return {.star = engine.model().star_architecture,
          .t5 = engine.model().t5_architecture,
          .vae = engine.model().vae_architecture,
          .schedule = Schedule({size}),
          .repetitions = {{1}, {1}},
          .decoded_latents = codes.size(2),
          .dtype = engine.dtype(),
          .device = engine.device()};
}

OutputFiles files_of(const RedecodeJob& job, const Tensor& codes) {
  const std::string comment = to_comment({.version = FASTSTAR_VERSION,
                                          .command = job.codes.command,
                                          .settings_json = job.output.settings_json,
                                          .run_json = ""});
  return {.file = job.output.file,
          .frames_dir = job.output.frames_dir,
          .width = pixels_of_features(codes.size(4)),
          .height = pixels_of_features(codes.size(3)),
          .encoding = encoding_of(job.encoding),
          .comment = job.encoding.no_metadata ? "" : comment,
          .sound = {},
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
void check_model(const Engine& engine, const RedecodeJob& job) {
  const auto& fingerprints = engine.fingerprints();
  const std::string vae = fingerprints.empty() ? "" : fingerprints.at("vae");
  if (vae == job.codes.vae_fingerprint) return;
  fail(ErrorKind::model, fmt::format("{}: another VAE than the one of the codes", engine.model().vae->origin()),
       "--model DIR names the model that made them");
}

}  // namespace

void check_redecode(const Engine& engine, const RedecodeJob& job) {
  check_model(engine, job);
  const Tensor codes = job.codes.joined();
  const OutputFiles files = files_of(job, codes);
  if (codes.size(2) == 1) {
    check_image_output(files.file);
  } else {
    check_video_output(files.file, format_of(files), files.encoding);
  }
  const MemoryPlan memory = choose_decode_plan(workload_of(engine, codes), engine.budget());
  log::info("size: {}x{}, {} frames; memory: {:.1f} GB", files.width, files.height, frames_of_latents(codes.size(2)),
            static_cast<double>(memory.decode) * 1e-9);
}

void redecode(Engine& engine, const RedecodeJob& job, Progress& progress) {
  const c10::InferenceMode inference;
  const Tensor codes = job.codes.joined();
  const Workload work = workload_of(engine, codes);
  const double cost = decode_seconds(work, codes.size(2));
  progress.plan(Stage::decode, cost);
  const MemoryPlan memory = choose_decode_plan(work, engine.budget());
  CodeDecoder decoder(engine.vae(VaeParts::decoder), codes.to(engine.device()), files_of(job, codes),
                      {job.first_frame, frames_left_out(job)});
  decoder.run(memory.mode.decode, DecodeProgress(progress, Stage::decode, cost, engine.device()));
  decoder.finish();
}

}  // namespace faststar
