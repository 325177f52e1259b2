#include "core/pipeline/run_stages.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/media/metadata.h"
#include "core/model/pyramid/conditioning.h"
#include "core/pipeline/cost_model.h"

namespace faststar {
namespace {

/// What a run was, for the metadata of its files.
std::string run_json(const Engine& engine, const StageSeconds& seconds) {
  nlohmann::ordered_json json;
  json["device"] = device_name(engine.device());
  json["checkpoints"] = engine.fingerprints();
  for (const auto& [stage, time] : seconds) json["seconds"][stage] = time;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

RunStages::RunStages(Engine& engine, const GenerateJob& job, const RunPlan& plan, Progress& progress)
    : engine_(engine), job_(job), plan_(plan), progress_(progress), command_(task_command(job.task)) {}

/// With a source, the encoder stays beside the decoder, so that the VAE loads once.
VaeParts RunStages::vae_parts() const {
  return plan_.work.source_frames > 0 ? VaeParts::encoder_and_decoder : VaeParts::decoder;
}

void RunStages::stop_if_asked() const {
  if (progress_.stop_requested()) fail(ErrorKind::interrupted, "stopped; finished files are kept");
}

TextFeatures RunStages::encode_text() {
  const StageMeter meter(Stage::text, engine_.device());
  TextFeatures features = engine_.encode_text(plan_.ids);
  if (plan_.memory.mode.residency != Residency::everything) engine_.unload_text_encoder();
  meter.finish(record_);
  progress_.advance(Stage::text, text_seconds(plan_.work), "prompt");
  stop_if_asked();
  return features;
}

std::vector<Tensor> RunStages::encode_source() {
  if (!plan_.source) return {};
  const Tensor features = encode_pixels(*plan_.source);
  return condition_bits(features, plan_.work.schedule, plan_.work.repetitions, job_.schedule.detail_scale_min_tokens);
}

Tensor RunStages::encode_pixels(const Tensor& pixels) {
  const StageMeter meter(Stage::source, engine_.device());
  const double frame_cost = encode_seconds(plan_.work) / static_cast<double>(pixels.size(2));
  int64_t done = 0;
  const auto on_slice = [&](int64_t frames) {
    synchronize(engine_.device());
    progress_.advance(Stage::source, frame_cost * static_cast<double>(frames - done),
                      fmt::format("frame {}/{}", frames, pixels.size(2)));
    done = frames;
    stop_if_asked();
  };
  Tensor features =
      engine_.vae(VaeParts::encoder_and_decoder).encode(pixels.to(engine_.device()), {.on_slice = on_slice});
  if (one_part()) engine_.unload_vae();
  release_cached_memory(engine_.device());
  meter.finish(record_);
  return features;
}

void RunStages::load_weights() {
  const double cost = load_cost(engine_, plan_);
  const StageMeter meter(Stage::load, engine_.device());
  engine_.transformer();
  if (!one_part()) engine_.vae(vae_parts());
  meter.finish(record_);
  progress_.advance(Stage::load, cost, "weights");
  stop_if_asked();
}

void RunStages::report_step(const Step& step) {
  synchronize(engine_.device());  // progress tells of work done, and a stop must not wait for a queue
  progress_.advance(Stage::tokens, step_seconds(plan_.work, step),
                    fmt::format("scale {}/{}", step.scale + 1, plan_.work.schedule.scales().size()));
  stop_if_asked();
}

Tensor RunStages::generate(const Draw& draw) {
  if (!engine_.has_transformer()) load_weights();
  for (const Stage own : {Stage::tokens, Stage::preview, Stage::decode})
    record_.seconds.erase(std::string(stage_name(own)));
  const StageMeter meter(Stage::tokens, engine_.device());
  const StarTransformer& transformer = engine_.transformer();
  Generator generator(transformer, plan_.work.schedule, generation_settings(engine_, job_, draw.seed));
  const Tensor& cond = draw.text.cond;
  generator.set_text(
      {cond, draw.text.uncond.defined() ? draw.text.uncond : transformer.unconditional_text(cond.size(0))});
  if (draw.condition) generator.set_interactive_condition(*draw.condition);
  generator.set_given_bits(draw.given);
  if (draw.trace) generator.set_reduction_observer([&](const ReducedStep& step) { draw.trace->add_reduced(step); });
  generator.set_listener([&](const Step& step, const std::vector<Tensor>& clips) {
    report_step(step);
    const Scale& scale = plan_.work.schedule.scales()[static_cast<size_t>(step.scale)];
    if (draw.trace) draw.trace->add_step(step, scale, tokens_of(plan_.work, step));
    if (draw.on_step) draw.on_step(step, clips);
  });
  Tensor codes = generator.run();
  meter.finish(record_);
  const auto preview = record_.seconds.find(stage_name(Stage::preview));
  if (preview != record_.seconds.end()) record_.seconds["tokens"] -= preview->second;  // which ran in between
  if (one_part()) engine_.unload_transformer();
  release_cached_memory(engine_.device());
  return codes;
}

void RunStages::decode(Stage stage, const Tensor& codes, const OutputFiles& files, const ShownFrames& shown,
                       std::vector<Tensor>* kept) {
  // A preview decodes while tokens are made: their peak so far would be lost with the count that begins here.
  if (stage == Stage::preview) record_.peak_bytes = std::max(record_.peak_bytes, peak_device_bytes(engine_.device()));
  const StageMeter meter(stage, engine_.device());
  DecodeProgress progress(progress_, stage, decode_seconds(plan_.work, codes.size(2)), engine_.device());
  const auto decode_in_slices = [&](const DecodeOptions& options) {
    std::vector<Tensor> frames;
    CodeDecoder decoder(engine_.vae(vae_parts()), codes, files, shown, [&](const Tensor& shown_frames) {
      if (kept) frames.push_back(shown_frames.cpu());
    });
    decoder.run(options, std::ref(progress));
    decoder.finish();
    if (kept) *kept = std::move(frames);
  };
  const DecodeOptions options = plan_.memory.mode.decode;
  try {
    decode_in_slices(options);
  } catch (const c10::OutOfMemoryError&) {
    // Somebody else took memory meanwhile: again in the shortest slices.
    if (options.slice_latents == 1) throw;
    release_cached_memory(engine_.device());
    decode_in_slices({.slice_latents = 1});
  }
  meter.finish(record_);
}

void RunStages::finish_video() {
  progress_.advance(Stage::encode, plan_.decode_seconds() * kFileShare, "file");
  if (one_part()) engine_.unload_vae();
}

OutputFiles RunStages::files_of(const JobOutput& output, const std::string& comment) const {
  return {.file = output.file,
          .frames_dir = output.frames_dir,
          .width = job_.size.width,
          .height = job_.size.height,
          .encoding = encoding_of(job_.encoding),
          .comment = comment,
          .sound = job_.sound,
          .existing = job_.existing};
}

std::string RunStages::vae_fingerprint() const {
  const auto& all = engine_.fingerprints();
  return all.empty() ? "" : all.at("vae");
}

std::string RunStages::comment_of(const JobOutput& output) const {
  if (job_.encoding.no_metadata) return "";
  return to_comment({.version = FASTSTAR_VERSION,
                     .command = command_,
                     .settings_json = output.settings_json,
                     .run_json = run_json(engine_, record_.seconds)});
}

}  // namespace faststar
