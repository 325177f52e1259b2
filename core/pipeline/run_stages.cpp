#include "core/pipeline/run_stages.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/media/metadata.h"
#include "core/model/pyramid/conditioning.h"

namespace faststar {
namespace {

/// What a run was, for the metadata of its files.
std::string run_json(const Model& model, const StageSeconds& seconds) {
  nlohmann::ordered_json json;
  json["device"] = device_name(model.device());
  json["checkpoints"] = model.fingerprints();
  for (const auto& [stage, time] : seconds) json["seconds"][stage] = time;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

RunStages::RunStages(Model& model, const Plan& plan, Progress& progress)
    : model_(model), plan_(plan), progress_(progress), command_(task_command(plan.request.task)) {}

/// With a source, the encoder stays beside the decoder, so that the VAE loads once.
VaeParts RunStages::vae_parts() const {
  return plan_.work.source_frames > 0 ? VaeParts::encoder_and_decoder : VaeParts::decoder;
}

void RunStages::stop_if_asked() const {
  if (progress_.stop_requested()) fail(ErrorKind::interrupted, "stopped; finished files are kept");
}

TextFeatures RunStages::encode_text() {
  const StageMeter meter(Stage::text, model_.device());
  const T5Encoder& encoder = model_.text_encoder();
  TextFeatures features{.cond = encoder(plan_.ids.prompt), .uncond = {}};
  if (plan_.ids.negative) features.uncond = encoder(*plan_.ids.negative);
  if (plan_.memory.mode.residency != Residency::everything) model_.unload_text_encoder();
  meter.finish(record_);
  progress_.advance(Stage::text, text_seconds(plan_.work), "prompt");
  stop_if_asked();
  return features;
}

std::vector<Tensor> RunStages::encode_source() {
  if (!plan_.source) return {};
  const Tensor features = encode_pixels(*plan_.source);
  return condition_bits(features, plan_.work.schedule, plan_.work.repetitions, plan_.request.detail_scale_min_tokens);
}

Tensor RunStages::encode_pixels(const Tensor& pixels) {
  const StageMeter meter(Stage::source, model_.device());
  const double frame_cost = encode_seconds(plan_.work) / static_cast<double>(pixels.size(2));
  int64_t done = 0;
  const auto on_slice = [&](int64_t frames) {
    synchronize(model_.device());
    progress_.advance(Stage::source, frame_cost * static_cast<double>(frames - done),
                      fmt::format("frame {}/{}", frames, pixels.size(2)));
    done = frames;
    stop_if_asked();
  };
  Tensor features =
      model_.vae(VaeParts::encoder_and_decoder).encode(pixels.to(model_.device()), {.on_slice = on_slice});
  if (one_part()) model_.unload_vae();
  release_cached_memory(model_.device());
  meter.finish(record_);
  return features;
}

void RunStages::load_weights() {
  const double cost = load_cost(model_, plan_.memory);
  const StageMeter meter(Stage::load, model_.device());
  model_.transformer();
  if (!one_part()) model_.vae(vae_parts());
  meter.finish(record_);
  progress_.advance(Stage::load, cost, "weights");
  stop_if_asked();
}

void RunStages::report_step(const Step& step) {
  synchronize(model_.device());  // progress tells of work done, and a stop must not wait for a queue
  progress_.advance(Stage::tokens, step_seconds(plan_.work, step),
                    fmt::format("scale {}/{}", step.scale + 1, plan_.work.schedule.scales().size()));
  stop_if_asked();
}

Tensor RunStages::generate(const Draw& draw) {
  if (!model_.has_transformer()) load_weights();
  for (const Stage own : {Stage::tokens, Stage::preview, Stage::decode})
    record_.seconds.erase(std::string(stage_name(own)));
  const StageMeter meter(Stage::tokens, model_.device());
  const StarTransformer& transformer = model_.transformer();
  GenerationSettings settings = plan_.request.generation;
  settings.seed = static_cast<uint64_t>(draw.seed);
  Generator generator(transformer, plan_.work.schedule, settings);
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
  if (one_part()) model_.unload_transformer();
  release_cached_memory(model_.device());
  return codes;
}

void RunStages::decode(Stage stage, const Tensor& codes, const OutputFiles& files, const ShownFrames& shown,
                       std::vector<Tensor>* kept) {
  // A preview decodes while tokens are made: their peak so far would be lost with the count that begins here.
  if (stage == Stage::preview) record_.peak_bytes = std::max(record_.peak_bytes, peak_device_bytes(model_.device()));
  const StageMeter meter(stage, model_.device());
  DecodeProgress progress(progress_, stage, decode_seconds(plan_.work, codes.size(2)), model_.device());
  const auto decode_in_slices = [&](const DecodeOptions& options) {
    std::vector<Tensor> frames;
    CodeDecoder decoder(model_.vae(vae_parts()), codes, files, shown, [&](const Tensor& shown_frames) {
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
    release_cached_memory(model_.device());
    decode_in_slices({.slice_latents = 1});
  }
  meter.finish(record_);
}

void RunStages::finish_video() {
  progress_.advance(Stage::encode, final_decode_seconds(plan_.work) * kFileShare, "file");
  if (one_part()) model_.unload_vae();
}

OutputFiles RunStages::files_of(const RequestedOutput& output, const std::string& comment) const {
  const Request& request = plan_.request;
  return {.file = output.file,
          .frames_dir = output.frames_dir,
          .format = format_of(request.size),
          .encoding = request.encoding,
          .extras = {comment, request.sound},
          .existing = request.existing};
}

std::string RunStages::comment_of(const RequestedOutput& output) const {
  if (plan_.request.metadata == Metadata::leave_out) return "";
  return to_comment({.version = FASTSTAR_VERSION,
                     .command = command_,
                     .settings_json = output.settings_json,
                     .run_json = run_json(model_, record_.seconds)});
}

}  // namespace faststar
