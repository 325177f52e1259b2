#include "core/train/trainer.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "core/atomic_file.h"
#include "core/config/installation.h"
#include "core/config/preset.h"
#include "core/device.h"
#include "core/error.h"
#include "core/log.h"
#include "core/engine/open_model.h"
#include "core/train/export_model.h"
#include "core/train/initial_weights.h"
#include "core/train/star_stage.h"
#include "core/train/vae_stage.h"
#include "core/world/vocabulary.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr const char* kVaeName = "vae";
constexpr const char* kStarName = "star";
/// Where a network is when its last stage is over.
constexpr const char* kDone = "done";
/// Scenes of TrainData::few_clips.
constexpr int64_t kFewClips = 64;

ModelPreset preset_of(const TrainSettings& settings) {
  const fs::path given = settings.run.model;
  std::error_code ignored;
  const fs::path file = fs::is_regular_file(given, ignored) ? given : preset_file(settings.run.model);
  if (file.empty()) fail(ErrorKind::usage, fmt::format("run.model: {}: no such file and no such preset", settings.run.model));
  ModelPreset preset = read_preset(file);
  if (!preset.architecture) {
    fail(ErrorKind::usage, fmt::format("{}: training needs an `architecture:` section", file.string()));
  }
  return preset;
}

PyramidShape pyramid_of(const ModelPreset& preset) {
  const Config& config = preset.settings.config;
  const auto [width, height] = config.generate.aspect;
  const double key = nearest_aspect_key(static_cast<double>(height) / width);
  const ScheduleConfig& schedule = config.schedule;
  if (schedule.image_repetitions != schedule.video_repetitions) {
    fail(ErrorKind::usage, fmt::format("{}: training needs equal repetitions of image and video clips: their frames "
                                       "are quantised together",
                                       preset.file.string()));
  }
  return {.scales = image_scales(key, pn_of(config.generate.resolution)),
          .repetitions = schedule.image_repetitions,
          .semantic_scales = schedule.semantic_scales};
}

void use_training_backends() {
  at::Context& context = at::globalContext();
  context.setBenchmarkCuDNN(true);      // shapes never change
  context.setAllowTF32CuDNN(true);
  context.setAllowTF32CuBLAS(true);
  context.setSDPUseCuDNN(false);  // builds a plan for every new shape: seconds a step with as many shapes as here
}

/// One call: the networks, where they are, and the stages.
class Training {
 public:
  Training(const TrainJob& job, Progress& progress)
      : job_(job),
        progress_(progress),
        device_(pick_device(job.device)),
        guard_(device_),
        preset_(preset_of(job.settings)),
        model_(model_sizes(*preset_.architecture)),
        world_(job.settings.world),
        renderer_(device_),
        setting_{.world = world_,
                 .renderer = renderer_,
                 .device = device_,
                 .dtype = job.dtype,
                 .execution = job.execution,
                 .seed = static_cast<uint64_t>(job.settings.run.seed),
                 .workers = workers_,
                 .samples = job.folder / "samples",
                 .only_scenes = few_clips(job)},
        vae_plan_{model_.vae, pyramid_of(preset_), job.settings.vae_loss, job.settings.vae_noise},
        vae_layout_(vae_layout(model_.vae)),
        star_layout_(star_layout(model_.star, model_.t5)) {
    use_training_backends();
    for (const char* folder : {"state", "samples", "vocabulary"}) fs::create_directories(job.folder / folder);
    log_ = std::make_unique<TrainLog>(job.folder / "log.jsonl");
    stop_.progress = &progress;
    if (job.stop_after_seconds) {
      stop_.deadline = std::chrono::steady_clock::now() +
                       std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                           std::chrono::duration<double>(*job.stop_after_seconds));
    }
    load_networks();
  }

  TrainReport run() {
    announce();
    make_vocabulary();
    const bool finished = run_stages();
    plot_losses(job_.folder / "log.jsonl", job_.folder / "loss.svg");
    write_pack();
    if (finished && asked_for(TrainStage::model)) write_model();
    return report(finished);
  }

 private:
  /// The architectures of the three networks.
  struct Sizes {
    VaeArchitecture vae;
    StarArchitecture star;
    T5Architecture t5;
  };
  static Sizes model_sizes(const ModelSizes& sizes) {
    return {vae_architecture_of(sizes.vae), star_architecture_of(sizes), t5_architecture_of(sizes.text_encoder)};
  }

  static std::optional<int64_t> few_clips(const TrainJob& job) {
    return job.data == TrainData::few_clips ? std::optional(kFewClips) : std::nullopt;
  }

  bool asked_for(TrainStage stage) const { return !job_.last_stage || stage <= *job_.last_stage; }

  void load_networks() {
    NamedTensors star = with_prefix(initial_star(model_.star, setting_.seed), kStarPrefix);
    star.merge(with_prefix(initial_t5(model_.t5, setting_.seed), kT5Prefix));
    vae_ = load_or_start(kVaeName, vae_layout_, initial_vae(model_.vae, setting_.seed), TrainStage::vae_crops);
    star_ = load_or_start(kStarName, star_layout_, star, TrainStage::star_short);
  }

  /// The exact state of a network, else its portable one, else its beginning.
  NetworkState load_or_start(const char* name, const ParameterLayout& layout, const NamedTensors& initial,
                             TrainStage first) const {
    for (const char* folder : {"state", "pack"}) {
      if (!has_network(job_.folder / folder, name)) continue;
      NetworkState state = load_network(job_.folder / folder, name, layout, device_);
      log::info("{}: {} is at {} step {}", (job_.folder / folder).string(), name, state.stage, state.steps_done);
      return state;
    }
    return {.optimizer = initial_state(layout.join(initial, "initial weights", device_)),
            .stage = std::string(choice_name(first))};
  }

  const NetworkState& current() const { return vae_.stage == kDone ? star_ : vae_; }

  fs::path vocabulary() const { return job_.folder / "vocabulary" / "spiece.model"; }

  void make_vocabulary() {
    std::error_code ignored;
    if (fs::is_regular_file(vocabulary(), ignored)) return;
    write_file(vocabulary(), train_world_vocabulary(job_.settings.world, static_cast<int>(model_.t5.vocabulary)),
               Existing::replace);
  }

  /// Steps of all stages, so that the time left can be told.
  void announce() {
    const TrainSettings& s = job_.settings;
    double steps = 0;
    for (const auto& [stage, count] :
         {std::pair{TrainStage::vae_crops, s.vae_crops.steps}, std::pair{TrainStage::vae_frames, s.vae_frames.steps},
          std::pair{TrainStage::star_short, s.star_short.steps}, std::pair{TrainStage::star_long, s.star_long.steps}}) {
      if (asked_for(stage)) steps += count;
    }
    progress_.plan(Stage::train, steps);
  }

  LoopSettings loop_settings(const char* name, const ParameterLayout& layout) const {
    const RunSettings& run = job_.settings.run;
    return {.log_every = run.log_every,
            .sample_every = run.sample_every,
            .save_every = static_cast<double>(run.save_every),
            .save = [this, name, &layout](const NetworkState& state) {
              save_network(job_.folder / "state", name, layout, state, StateForm::full);
            }};
  }

  bool run_stages() {
    const TrainSettings& s = job_.settings;
    return run_vae_stage(TrainStage::vae_crops, s.vae_crops, choice_name(TrainStage::vae_frames)) &&
           run_vae_stage(TrainStage::vae_frames, s.vae_frames, kDone) &&
           run_star_stage(TrainStage::star_short, s.star_short, choice_name(TrainStage::star_long)) &&
           run_star_stage(TrainStage::star_long, s.star_long, kDone);
  }

  /// False when the call has to end in this stage.
  bool run_vae_stage(TrainStage stage, const VaeStageSettings& settings, std::string_view next) {
    if (!asked_for(stage)) return true;
    if (vae_.stage != choice_name(stage)) return true;
    VaeStage training(setting_, vae_plan_, settings, vae_layout_, vae_);
    const bool fresh = stage == TrainStage::vae_crops && vae_.steps_done == 0;
    if (fresh) training.scale_features();
    const StageEnd end =
        run_stage(training.task(vae_.stage), {vae_layout_, job_.settings.vae_optimizer}, training.gradient(), vae_,
                  loop_settings(kVaeName, vae_layout_), stop_, *log_, progress_);
    return finish_stage(end, vae_, kVaeName, vae_layout_, next);
  }

  bool run_star_stage(TrainStage stage, const StarStageSettings& settings, std::string_view next) {
    if (!asked_for(stage)) return true;
    if (star_.stage != choice_name(stage)) return true;
    const Tokenizer tokenizer(vocabulary());
    const CaptionPool pool(world_, tokenizer,
                           {.seed = setting_.seed,
                            .scenes = setting_.only_scenes.value_or(settings.pool),
                            .longest_text = preset_.settings.config.prompt.text_limit,
                            .length_evenness = settings.length_evenness,
                            .worker = workers_.rank(),
                            .workers = workers_.count()});
    const StarPlan plan{model_.star, model_.t5, vae_plan_.pyramid, preset_.latents_per_clip, job_.settings.star_noise};
    StarStage training(setting_, plan, settings, vae_plan_, vae_.optimizer.average, pool, star_layout_, star_);
    const StageEnd end =
        run_stage(training.task(star_.stage), {star_layout_, job_.settings.star_optimizer}, training.gradient(), star_,
                  loop_settings(kStarName, star_layout_), stop_, *log_, progress_);
    return finish_stage(end, star_, kStarName, star_layout_, next);
  }

  bool finish_stage(StageEnd end, NetworkState& state, const char* name, const ParameterLayout& layout,
                    std::string_view next) {
    if (end == StageEnd::finished) enter_stage(state, std::string(next));
    save_network(job_.folder / "state", name, layout, state, StateForm::full);
    release_cached_memory(device_);
    return end == StageEnd::finished && !stop_.reached();
  }

  void write_pack() const {
    save_network(job_.folder / "pack", kVaeName, vae_layout_, vae_, StateForm::portable);
    const bool begun = vae_.stage == kDone;  // what has not begun is made again from the seed
    if (begun) save_network(job_.folder / "pack", kStarName, star_layout_, star_, StateForm::portable);
  }

  void write_model() const {
    NamedTensors weights = star_layout_.split(star_.optimizer.average);
    export_model(job_.folder / "model", {.vae = vae_layout_.split(vae_.optimizer.average),
                                         .transformer = without_prefix(weights, kStarPrefix),
                                         .t5 = without_prefix(weights, kT5Prefix),
                                         .t5_architecture = model_.t5,
                                         .vocabulary = vocabulary(),
                                         .preset = preset_.file});
  }

  TrainReport report(bool finished) const {
    const TrainSettings& s = job_.settings;
    TrainReport report{.finished = finished,
                       .stage = current().stage,
                       .steps_done = current().steps_done,
                       .training_seconds = vae_.seconds + star_.seconds};
    for (const auto& [stage, steps] :
         {std::pair{TrainStage::vae_crops, s.vae_crops.steps}, std::pair{TrainStage::vae_frames, s.vae_frames.steps},
          std::pair{TrainStage::star_short, s.star_short.steps}, std::pair{TrainStage::star_long, s.star_long.steps}}) {
      if (report.stage == choice_name(stage)) report.steps = steps;
    }
    return report;
  }

  const TrainJob& job_;
  Progress& progress_;
  at::Device device_;
  c10::DeviceGuard guard_;
  ModelPreset preset_;
  Sizes model_;
  World world_;
  ClipRenderer renderer_;
  Workers workers_;
  TrainSetting setting_;
  VaePlan vae_plan_;
  ParameterLayout vae_layout_, star_layout_;
  NetworkState vae_, star_;
  std::unique_ptr<TrainLog> log_;
  StopRule stop_;
};

}  // namespace

TrainReport run_training(const TrainJob& job, Progress& progress) {
  fs::create_directories(job.folder);
  return Training(job, progress).run();
}

}  // namespace faststar
