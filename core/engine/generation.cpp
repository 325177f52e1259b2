#include "core/engine/generation.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/device.h"
#include "core/engine/codes_file.h"
#include "core/engine/decode.h"
#include "core/engine/run_plan.h"
#include "core/engine/stage_meter.h"
#include "core/error.h"
#include "core/log.h"
#include "core/media/metadata.h"
#include "core/plan/cost_model.h"
#include "core/pyramid/conditioning.h"

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

/// One job on an engine, planned.
class GenerationRun {
 public:
  GenerationRun(Engine& engine, const GenerateJob& job, RunPlan plan, Progress& progress)
      : engine_(engine), job_(job), plan_(std::move(plan)), progress_(progress) {}

  RunRecord make_all(const std::function<void(const std::filesystem::path&)>& on_file) {
    announce_costs(engine_, job_, plan_, progress_);
    const TextFeatures text = encode_text();
    const std::vector<Tensor> given = encode_source();
    for (const JobOutput& output : job_.outputs) {
      const Tensor codes = generate(text, given, output);
      if (output.codes) {
        write_codes(*output.codes,
                    {split_clips(codes, plan_.work.schedule), task_command(job_.task), output.settings_json},
                    job_.existing);
      }
      decode(codes, output);
      if (on_file) on_file(output.file);
    }
    return record_;
  }

 private:
  bool one_part() const { return plan_.memory.mode.residency == Residency::one_part; }
  /// With a source, the encoder stays beside the decoder, so that the VAE loads once.
  VaeParts vae_parts() const { return plan_.source ? VaeParts::encoder_and_decoder : VaeParts::decoder; }

  void stop_if_asked() const {
    if (progress_.stop_requested()) fail(ErrorKind::interrupted, "stopped; finished files are kept");
  }

  TextFeatures encode_text() {
    const StageMeter meter(Stage::text, engine_.device());
    TextFeatures features = engine_.encode_text(plan_.ids);
    if (plan_.memory.mode.residency != Residency::everything) engine_.unload_text_encoder();
    meter.finish(record_);
    progress_.advance(Stage::text, text_seconds(plan_.work), "prompt");
    stop_if_asked();
    return features;
  }

  /// Bits of the clips that the source gives; none without one.
  std::vector<Tensor> encode_source() {
    if (!plan_.source) return {};
    const StageMeter meter(Stage::source, engine_.device());
    const double frame_cost = encode_seconds(plan_.work) / static_cast<double>(plan_.work.source_frames);
    int64_t done = 0;
    const auto on_slice = [&](int64_t frames) {
      synchronize(engine_.device());
      progress_.advance(Stage::source, frame_cost * static_cast<double>(frames - done),
                        fmt::format("frame {}", frames));
      done = frames;
      stop_if_asked();
    };
    const Tensor features = engine_.vae(vae_parts()).encode(plan_.source->to(engine_.device()), on_slice);
    auto bits =
        condition_bits(features, plan_.work.schedule, plan_.work.repetitions, job_.schedule.detail_scale_min_tokens);
    if (one_part()) engine_.unload_vae();
    meter.finish(record_);
    return bits;
  }

  void load_weights() {
    const double cost = load_cost(engine_, plan_);
    const StageMeter meter(Stage::load, engine_.device());
    engine_.transformer();
    if (!one_part()) engine_.vae(vae_parts());
    meter.finish(record_);
    progress_.advance(Stage::load, cost, "weights");
    stop_if_asked();
  }

  GenerationSettings settings_for(const JobOutput& output) const {
    return {.repetitions = plan_.work.repetitions,
            .semantic_scales = job_.schedule.semantic_scales,
            .guidance = {job_.guidance.guidance_method, job_.guidance.guidance, job_.guidance.apg_norm_threshold},
            .tau_image = job_.tau_image,
            .tau_video = job_.tau_video,
            .sampling = job_.sampling,
            .seed = static_cast<uint64_t>(output.seed),
            .attention = engine_.setup().attention};
  }

  /// The code sums of the whole video.
  Tensor generate(const TextFeatures& text, const std::vector<Tensor>& given, const JobOutput& output) {
    if (!engine_.has_transformer()) load_weights();
    const StageMeter meter(Stage::tokens, engine_.device());
    const StarTransformer& transformer = engine_.transformer();
    Generator generator(transformer, plan_.work.schedule, settings_for(output));
    generator.set_text(
        {text.cond, text.uncond.defined() ? text.uncond : transformer.unconditional_text(text.cond.size(0))});
    generator.set_given_bits(given);
    generator.set_listener([&](const Step& step, const std::vector<Tensor>& clips) {
      synchronize(engine_.device());  // progress tells of work done, and a stop must not wait for a queue
      progress_.advance(Stage::tokens, step_seconds(plan_.work, step),
                        fmt::format("scale {}/{}", step.scale + 1, plan_.work.schedule.scales().size()));
      stop_if_asked();
      if (output.preview && shows_preview(step)) preview(at::cat(clips, 2), output);
    });
    Tensor codes = generator.run();
    meter.finish(record_);
    if (one_part()) engine_.unload_transformer();
    release_cached_memory(engine_.device());
    return codes;
  }

  bool shows_preview(const Step& step) const {
    const Schedule& schedule = plan_.work.schedule;
    return step.clip > 0 && step.clip >= plan_.work.given_clips && step.last_repetition &&
           schedule.index_in_clip(step.scale) == preview_scale(schedule);
  }

  /// The clips so far. The file is replaced when the next clip has come as far.
  void preview(const Tensor& codes, const JobOutput& output) {
    OutputFiles files = files_of(output, "");
    files.file = *output.preview;
    files.frames_dir.reset();
    files.sound.reset();
    if (previewed_) files.existing = Existing::replace;
    run_decoder(codes, files, Stage::preview);
    previewed_ = true;
    log::info("preview: {}", files.file.string());
  }

  void decode(const Tensor& codes, const JobOutput& output) {
    const StageMeter meter(Stage::decode, engine_.device());
    run_decoder(codes, files_of(output, comment_of(output)), Stage::decode);
    meter.finish(record_);
    progress_.advance(Stage::encode, plan_.decode_seconds() * kFileShare, "file");
    if (one_part()) engine_.unload_vae();
    previewed_ = false;
  }

  void run_decoder(const Tensor& codes, const OutputFiles& files, Stage stage) {
    const int64_t source_frames = job_.source && job_.source->only_new ? plan_.work.source_frames : 0;
    CodeDecoder decoder(engine_.vae(vae_parts()), codes, files, {job_.first_frame, source_frames});
    const double cost = decode_seconds(plan_.work, codes.size(2));
    int64_t before = 0;
    decoder.run(plan_.memory.mode.decode, [&](int64_t done, int64_t total) {
      synchronize(engine_.device());
      progress_.advance(stage, cost * static_cast<double>(done - before) / static_cast<double>(total),
                        fmt::format("frame {}/{}", done, total));
      before = done;
      stop_if_asked();
    });
    decoder.finish();
  }

  OutputFiles files_of(const JobOutput& output, const std::string& comment) const {
    return {.file = output.file,
            .frames_dir = output.frames_dir,
            .width = job_.size.width,
            .height = job_.size.height,
            .encoding = encoding_of(job_.encoding),
            .comment = comment,
            .sound = job_.sound,
            .existing = job_.existing};
  }

  std::string comment_of(const JobOutput& output) const {
    if (job_.encoding.no_metadata) return "";
    return to_comment({.version = FASTSTAR_VERSION,
                       .command = task_command(job_.task),
                       .settings_json = output.settings_json,
                       .run_json = run_json(engine_, record_.seconds)});
  }

  Engine& engine_;
  const GenerateJob& job_;
  RunPlan plan_;
  Progress& progress_;
  RunRecord record_;
  bool previewed_ = false;  ///< this video's preview file is ours
};

}  // namespace

void check_generation(Engine& engine, const GenerateJob& job) { plan_run(engine, job); }

RunRecord run_generation(Engine& engine, const GenerateJob& job, Progress& progress,
                         const std::function<void(const std::filesystem::path& file)>& on_file) {
  const c10::InferenceMode inference;
  return GenerationRun(engine, job, plan_run(engine, job), progress).make_all(on_file);
}

}  // namespace faststar
