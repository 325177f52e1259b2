#include "core/pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/device.h"
#include "core/error.h"
#include "core/log.h"
#include "core/open_model.h"
#include "core/plan/cost_model.h"
#include "core/plan/memory_plan.h"
#include "core/reduce/check.h"
#include "core/reduction_trace.h"
#include "core/star/generator.h"
#include "core/text/tokenizer.h"
#include "core/vae/video_vae.h"
#include "core/write_outputs.h"

namespace faststar {
namespace {

/// Share of the decode that writing the file takes beyond it; encoding itself overlaps decoding.
constexpr double kEncodeShare = 0.1;

/// Wall-clock seconds and most device bytes of one stage.
class StageMeter {
 public:
  explicit StageMeter(at::Device device) : device_(device), start_(Clock::now()) { reset_peak_device_bytes(device); }
  std::string text(Stage stage) const {
    synchronize(device_);
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const int64_t peak = peak_device_bytes(device_);
    if (peak == 0) return fmt::format("{}: {:.2f} s", stage_name(stage), seconds);
    return fmt::format("{}: {:.2f} s, peak {:.1f} GB", stage_name(stage), seconds, static_cast<double>(peak) * 1e-9);
  }

 private:
  using Clock = std::chrono::steady_clock;
  at::Device device_;
  Clock::time_point start_;
};

/// Token ids of the prompt and, when there is one, of the negative prompt: [T] int64 each.
struct TextIds {
  Tensor prompt;
  std::optional<Tensor> negative;
};

Tensor tokenize(const Tokenizer& tokenizer, const std::string& text, int64_t limit, const char* what) {
  const Tokenizer::Encoded encoded = tokenizer.encode(text, limit);
  if (!encoded.cut.empty()) log::warn("{}: more than {} tokens, cut: \"{}\"", what, limit, encoded.cut);
  return at::tensor(encoded.ids, at::kLong);
}

TextIds tokenize_texts(const GenerateJob& job, const OpenModel& model) {
  const Tokenizer tokenizer(model.vocabulary);
  if (tokenizer.vocabulary_size() > model.t5_architecture.vocabulary) {
    fail(ErrorKind::model,
         fmt::format("{}: {} pieces, but the text encoder {} knows {}: this vocabulary belongs to another model",
                     model.vocabulary.string(), tokenizer.vocabulary_size(), model.t5->origin(),
                     model.t5_architecture.vocabulary));
  }
  const int64_t limit = std::min<int64_t>(job.text_limit, model.star_architecture.text_rows);
  TextIds ids{.prompt = tokenize(tokenizer, job.model_prompt, limit, "prompt")};
  if (job.negative) ids.negative = tokenize(tokenizer, *job.negative, limit, "negative prompt");
  return ids;
}

ReductionGate make_gate(const GenerateJob& job) {
  const JobSize& size = job.size;
  return {job.reduction,
          make_schedule(size.aspect_key, size.pn, size.latent_frames, size.latents_per_clip),
          {job.schedule.image_repetitions, job.schedule.video_repetitions}};
}

/// A run of one job: the models, once loaded, serve all of its outputs.
class Run {
 public:
  Run(const GenerateJob& job, Progress& progress)
      : job_(job),
        progress_(progress),
        device_(pick_device(job.device)),
        guard_(device_),
        model_(open_model(job.model)),
        ids_(tokenize_texts(job, model_)),
        work_(make_workload()) {
    set_kernels(job.kernels);
    use_exact_float32();
  }

  void check() const {
    check_depth(job_.reduction, model_.star_architecture.layers);
    const MemoryPlan memory = plan_memory(work_);
    log::info("memory: {}", memory.text_line());
    check_fits(memory, device_);
  }

  void announce_costs() const {
    const auto outputs = static_cast<double>(job_.outputs.size());
    double steps = 0;
    for (const Step& step : work_.schedule.steps(work_.repetitions)) steps += step_seconds(work_, step);
    const double decode = decode_seconds(work_, work_.schedule.latent_frames());
    progress_.plan(Stage::load, load_cost());
    progress_.plan(Stage::text, text_seconds(work_));
    progress_.plan(Stage::tokens, outputs * steps);
    progress_.plan(Stage::decode, outputs * decode);
    progress_.plan(Stage::encode, outputs * decode * kEncodeShare);
  }

  void make_all(const std::function<void(const std::filesystem::path&)>& on_file) {
    const TextFeatures text = encode_text();
    const StageMeter load(device_);
    const StarTransformer transformer = load_transformer();
    const VideoVae vae = load_vae();
    const TextFeatures rows{text.cond,
                            text.uncond.defined() ? text.uncond : transformer.unconditional_text(text.cond.size(0))};
    log::info("{}", load.text(Stage::load));
    progress_.advance(Stage::load, load_cost(), "weights");
    stop_if_asked();
    for (const JobOutput& output : job_.outputs) {
      const Tensor codes = generate(transformer, rows, output);
      if (output.codes) write_codes(job_, output, work_.schedule, codes);
      decode(vae, codes, output);
      if (on_file) on_file(output.file);
    }
  }

 private:
  Workload make_workload() const {
    const auto& lists = job_.schedule;
    return {.star = model_.star_architecture,
            .t5 = model_.t5_architecture,
            .vae = model_.vae_architecture,
            .schedule =
                make_schedule(job_.size.aspect_key, job_.size.pn, job_.size.latent_frames, job_.size.latents_per_clip),
            .repetitions = {lists.image_repetitions, lists.video_repetitions},
            .guidance_rows = job_.guidance.guidance == 1 ? 1 : 2,
            .text_tokens = std::max(ids_.prompt.size(0), ids_.negative ? ids_.negative->size(0) : 0),
            .dtype = job_.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat,
            .device = device_,
            .gate = make_gate(job_)};
  }

  double load_cost() const {
    constexpr double kRandomWeights = 0.1;
    return job_.model.random_weights ? kRandomWeights : load_seconds(plan_memory(work_).weights);
  }

  void stop_if_asked() const {
    if (progress_.stop_requested()) fail(ErrorKind::interrupted, "stopped; finished files are kept");
  }

  /// The text encoder lives only in here: its memory is free before the transformer loads.
  TextFeatures encode_text() {
    const StageMeter meter(device_);
    TextFeatures features;
    {
      const Weights weights(model_.t5, device_, work_.dtype);
      const T5Encoder encoder(weights, model_.t5_architecture);
      weights.warn_about_unused(known_unused_t5_tensors());
      features.cond = encoder(ids_.prompt);
      if (ids_.negative) features.uncond = encoder(*ids_.negative);
    }
    log::info("{}, {} tokens", meter.text(Stage::text), ids_.prompt.size(0));
    release_cached_memory(device_);
    progress_.advance(Stage::text, text_seconds(work_), "prompt");
    stop_if_asked();
    return features;
  }

  StarTransformer load_transformer() const {
    const Weights weights(model_.transformer, device_, work_.dtype);
    StarTransformer transformer(weights, model_.star_architecture);
    weights.warn_about_unused(known_unused_star_tensors());
    return transformer;
  }

  VideoVae load_vae() const {
    const Weights weights(model_.vae, device_, work_.dtype);
    VideoVae vae(weights, model_.vae_architecture, VaeParts::decoder);
    weights.warn_about_unused(VideoVae::unused_weights(VaeParts::decoder));
    return vae;
  }

  GenerationSettings settings_for(const JobOutput& output) const {
    return {.repetitions = work_.repetitions,
            .semantic_scales = job_.schedule.semantic_scales,
            .guidance = {job_.guidance.guidance_method, job_.guidance.guidance, job_.guidance.apg_norm_threshold},
            .tau_image = job_.tau_image,
            .tau_video = job_.tau_video,
            .sampling = job_.sampling,
            .seed = static_cast<uint64_t>(output.seed),
            .attention = job_.attention,
            .reduction = job_.reduction};
  }

  Tensor generate(const StarTransformer& transformer, const TextFeatures& text, const JobOutput& output) {
    const StageMeter meter(device_);
    Generator generator(transformer, work_.schedule, settings_for(output));
    generator.set_text(text);
    ReductionTrace trace;
    if (output.trace) generator.set_reduction_observer([&](const ReducedStep& step) { trace.add_reduced(step); });
    generator.set_listener([&](const Step& step) {
      synchronize(device_);  // progress tells of work done, and a stop must not wait for a queue
      const auto scales = work_.schedule.scales().size();
      if (output.trace) trace.add_step(step, work_.schedule.scales()[step.scale], tokens_of(work_, step));
      progress_.advance(Stage::tokens, step_seconds(work_, step), fmt::format("scale {}/{}", step.scale + 1, scales));
      stop_if_asked();
    });
    Tensor codes = generator.run();
    if (output.trace) trace.write(*output.trace, output.settings_json, output.seed, job_.existing);
    log::info("{}", meter.text(Stage::tokens));
    release_cached_memory(device_);
    return codes;
  }

  void decode(const VideoVae& vae, const Tensor& codes, const JobOutput& output) {
    const StageMeter meter(device_);
    std::optional<VideoOutput> video;
    if (job_.task == Task::text_to_video) video.emplace(job_, output);
    FrameStream stream(job_.first_frame);
    const auto show = [&](const std::optional<Tensor>& frames) {
      if (!frames) return;
      if (video) return video->write(*frames);
      write_picture(job_, output, *frames);
    };
    const double frame_cost = decode_seconds(work_, work_.schedule.latent_frames()) / job_.size.frames;
    int64_t done = 0;
    vae.decode(codes, [&](const Tensor& decoded) {
      show(stream.push(decoded));
      done += decoded.size(2);
      progress_.advance(Stage::decode, frame_cost * static_cast<double>(decoded.size(2)),
                        fmt::format("frame {}/{}", done, job_.size.frames));
      stop_if_asked();
    });
    show(stream.finish());
    log::info("{}", meter.text(Stage::decode));
    finish(video);
  }

  void finish(std::optional<VideoOutput>& video) {
    const StageMeter meter(device_);
    if (video) video->finish();
    log::info("{}", meter.text(Stage::encode));
    progress_.advance(Stage::encode, decode_seconds(work_, work_.schedule.latent_frames()) * kEncodeShare, "file");
  }

  const GenerateJob& job_;
  Progress& progress_;
  at::Device device_;
  c10::DeviceGuard guard_;  ///< kernels launch on the current device
  OpenModel model_;
  TextIds ids_;
  Workload work_;
};

}  // namespace

void check_generation(const GenerateJob& job) {
  SilentProgress nobody;
  Run(job, nobody).check();
}

void run_generation(const GenerateJob& job, Progress& progress,
                    const std::function<void(const std::filesystem::path& file)>& on_file) {
  const c10::InferenceMode inference;
  Run run(job, progress);
  run.check();
  run.announce_costs();
  run.make_all(on_file);
}

}  // namespace faststar
