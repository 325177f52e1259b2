#include "core/lab/train/trainer.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "core/base/device.h"
#include "core/base/log.h"
#include "core/config/model_folder.h"
#include "core/lab/train/export_model.h"
#include "core/lab/train/initial_weights.h"
#include "core/lab/train/run_folder.h"
#include "core/lab/train/star_stage.h"
#include "core/lab/train/train_plan.h"
#include "core/lab/train/vae_stage.h"

namespace faststar {
namespace {

constexpr const char* kVaeName = "vae";
constexpr const char* kStarName = "star";
/// Where a network is when its last stage is over.
constexpr const char* kDone = "done";
/// Scenes of TrainData::few_clips, of each process: enough for 8 captions of one length.
constexpr int64_t kFewClips = 128;

struct StageSteps {
  TrainStage stage;
  int64_t steps;
};

/// The stages that take steps, in order.
std::vector<StageSteps> stages_of(const TrainSettings& s) {
  return {{TrainStage::vae_crops, s.vae_crops.steps},
          {TrainStage::vae_frames, s.vae_frames.steps},
          {TrainStage::vae_decoder, s.vae_decoder.steps},
          {TrainStage::star_short, s.star_short.steps},
          {TrainStage::star_long, s.star_long.steps}};
}

/// The one that takes the run's first step.
TrainStage first_stage_with_steps(const TrainSettings& settings) {
  const auto stages = stages_of(settings);
  const auto first = std::ranges::find_if(stages, [](const StageSteps& s) { return s.steps > 0; });
  return first == stages.end() ? TrainStage::model : first->stage;
}

/// How LibTorch computes while a network is in training; afterwards as every command has it.
class TrainingBackends {
 public:
  TrainingBackends() {
    set_up_backends();
    context_.setBenchmarkCuDNN(true);  // shapes never change
    context_.setAllowTF32CuDNN(true);
    context_.setAllowTF32CuBLAS(true);
  }
  ~TrainingBackends() {
    context_.setBenchmarkCuDNN(false);
    set_up_backends();
  }
  TrainingBackends(const TrainingBackends&) = delete;
  TrainingBackends& operator=(const TrainingBackends&) = delete;

 private:
  at::Context& context_ = at::globalContext();
};

StopRule stop_rule(const TrainJob& job, const Progress& progress, Workers& workers) {
  StopRule rule{.progress = &progress, .workers = workers};
  if (job.stop_after_seconds) {
    using Clock = std::chrono::steady_clock;
    rule.deadline = Clock::now() +
                    std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*job.stop_after_seconds));
  }
  return rule;
}

std::optional<ModelLayout> starting_model(const TrainJob& job) {
  if (!job.from) return std::nullopt;
  return resolve_model({.folder = job.from, .folder_origin = "--from", .preset = {}}).layout;
}

/// One call: the networks, where they are, and the stages.
class Training {
 public:
  Training(const TrainJob& job, Progress& progress)
      : job_(job),
        progress_(progress),
        folder_(job.folder),
        device_(pick_device(job.device)),
        guard_(device_),
        plan_(make_train_plan(job.settings)),
        world_(job.settings.world),
        renderer_(device_),
        workers_(join_workers(job.place, device_)),
        setting_{.world = world_,
                 .renderer = renderer_,
                 .device = device_,
                 .dtype = job.dtype,
                 .execution = job.execution,
                 .seed = static_cast<uint64_t>(job.settings.run.seed),
                 .workers = *workers_,
                 .samples = folder_.samples(),
                 .sample_clips = job.settings.run.sample_clips,
                 .only_scenes =
                     job.data == TrainData::few_clips ? std::optional(kFewClips * job.place.count) : std::nullopt},
        start_(starting_model(job)),
        vae_layout_(vae_layout(plan_.vae.architecture)),
        star_layout_(star_layout(plan_.star.star, plan_.star.t5)),
        vae_(load_or_start_vae()),
        star_(load_or_start_star()),
        log_(is_first() ? TrainLog(folder_.log()) : TrainLog()),
        stop_(stop_rule(job, progress, *workers_)) {}

  TrainReport run() {
    announce();
    if (is_first()) {
      if (current().stage == kDone) log::warn("{}: trained to its end before; no stage is left", job_.folder.string());
      warn_of_changes();
      log_.begin({.config = job_.settings_name,
                  .from = job_.from,
                  .processes = workers_->count(),
                  .settings = setting_texts(job_.settings)});
      provide_vocabulary();
    }
    workers_->meet();  // all have read the folder: from now on the first one writes to it
    const bool finished = run_stages();
    if (is_first()) {
      plot_losses(read_train_log(folder_.log()), folder_.loss_plot());
      if (finished && asked_for(TrainStage::model)) write_model();
    }
    return report(finished);
  }

 private:
  bool is_first() const { return workers_->rank() == 0; }

  /// Names the settings that are not those of the call before.
  void warn_of_changes() const {
    const auto before = read_train_log(folder_.log()).settings;
    std::vector<std::string> changes;
    for (const auto& [name, value] : setting_texts(job_.settings)) {
      const auto was = before.find(name);
      if (was == before.end() || was->second == value) continue;
      changes.push_back(fmt::format("{} {} (was {})", name, value, was->second));
    }
    if (changes.empty()) return;
    log::warn("{}: goes on with other settings: {}", job_.folder.string(), fmt::join(changes, ", "));
  }

  bool asked_for(TrainStage stage) const { return !job_.last_stage || stage <= *job_.last_stage; }

  NetworkState load_or_start_vae() const {
    if (auto state = folder_.load(kVaeName, vae_layout_, device_)) return *state;
    return start(vae_layout_, start_ ? read_weights(start_->vae) : initial_vae(plan_.vae.architecture, setting_.seed),
                 TrainStage::vae_crops);
  }

  NetworkState load_or_start_star() const {
    if (auto state = folder_.load(kStarName, star_layout_, device_)) return *state;
    NamedTensors weights = with_prefix(
        start_ ? read_weights(start_->transformer) : initial_star(plan_.star.star, setting_.seed), kStarPrefix);
    weights.merge(with_prefix(start_ ? read_weights(start_->t5) : initial_t5(plan_.star.t5, setting_.seed), kT5Prefix));
    return start(star_layout_, weights, TrainStage::star_short);
  }

  NetworkState start(const ParameterLayout& layout, const NamedTensors& initial, TrainStage first) const {
    const std::string origin = start_ ? "--from " + *job_.from : "initial weights";
    return {.optimizer = initial_state(layout.join(initial, origin, device_)),
            .stage = std::string(choice_name(first))};
  }

  void provide_vocabulary() const {
    folder_.provide_vocabulary(start_ ? std::optional(start_->vocabulary()) : std::nullopt, job_.settings.world,
                               plan_.star.t5.vocabulary);
  }

  const NetworkState& current() const { return vae_.stage == kDone ? star_ : vae_; }

  /// The steps that this call may take, so that the time left can be told.
  void announce() {
    double steps = 0;
    bool over = current().stage != kDone;  // stages before the current one are
    for (const StageSteps& s : stages_of(job_.settings)) {
      const bool here = choice_name(s.stage) == current().stage;
      over = over && !here;
      if (!over && asked_for(s.stage)) steps += static_cast<double>(s.steps - (here ? current().steps_done : 0));
    }
    progress_.plan(Stage::train, current().stage == kDone ? 0 : steps);
  }

  LoopSettings loop_settings(const char* name, const ParameterLayout& layout) const {
    const RunSettings& run = job_.settings.run;
    return {.log_every = run.log_every,
            .sample_every = run.sample_every,
            .save_every = static_cast<double>(run.save_every),
            .save = [this, name, &layout](const NetworkState& state) { save(name, layout, state); }};
  }

  void save(const char* name, const ParameterLayout& layout, const NetworkState& state) const {
    if (is_first()) folder_.save(name, layout, state);
  }

  bool run_stages() {
    const TrainSettings& s = job_.settings;
    return run_vae_stage(TrainStage::vae_crops, s.vae_crops, choice_name(TrainStage::vae_frames)) &&
           run_vae_stage(TrainStage::vae_frames, s.vae_frames, choice_name(TrainStage::vae_decoder)) &&
           run_vae_stage(TrainStage::vae_decoder, s.vae_decoder, kDone) &&
           run_star_stage(TrainStage::star_short, s.star_short, choice_name(TrainStage::star_long)) &&
           run_star_stage(TrainStage::star_long, s.star_long, kDone);
  }

  /// False when the call has to end in this stage.
  bool run_vae_stage(TrainStage stage, const VaeStageSettings& settings, std::string_view next) {
    if (!asked_for(stage) || vae_.stage != choice_name(stage)) return true;
    if (settings.steps == 0) return finish_stage(StageEnd::finished, vae_, kVaeName, vae_layout_, next);
    const auto part = stage == TrainStage::vae_decoder ? TrainedPart::decoder : TrainedPart::everything;
    VaeStage training(setting_, plan_.vae, settings, part, vae_layout_, vae_);
    if (!start_ && vae_.steps_done == 0 && stage == first_stage_with_steps(job_.settings)) training.scale_features();
    const StageEnd end =
        run_stage(training.task(vae_.stage), {vae_layout_, job_.settings.vae_optimizer}, training.gradient(), vae_,
                  loop_settings(kVaeName, vae_layout_), stop_, log_, progress_);
    return finish_stage(end, vae_, kVaeName, vae_layout_, next);
  }

  bool run_star_stage(TrainStage stage, const StarStageSettings& settings, std::string_view next) {
    if (!asked_for(stage) || star_.stage != choice_name(stage)) return true;
    if (settings.steps == 0) return finish_stage(StageEnd::finished, star_, kStarName, star_layout_, next);
    const Tokenizer tokenizer(folder_.vocabulary());
    const CaptionPool pool(world_, tokenizer,
                           {.seed = setting_.seed,
                            .scenes = setting_.only_scenes.value_or(settings.pool),
                            .longest_text = plan_.longest_text,
                            .length_evenness = settings.length_evenness,
                            .worker = workers_->rank(),
                            .workers = workers_->count()});
    const StarSamples samples(setting_, plan_.star, tokenizer, plan_.longest_text);
    StarStage training(setting_, plan_.star, settings, {plan_.vae, vae_.optimizer.average}, pool, samples, star_layout_,
                       star_);
    const StageEnd end =
        run_stage(training.task(star_.stage), {star_layout_, job_.settings.star_optimizer}, training.gradient(), star_,
                  loop_settings(kStarName, star_layout_), stop_, log_, progress_);
    return finish_stage(end, star_, kStarName, star_layout_, next);
  }

  bool finish_stage(StageEnd end, NetworkState& state, const char* name, const ParameterLayout& layout,
                    std::string_view next) {
    if (end == StageEnd::finished) {
      enter_stage(state, std::string(next));
      save(name, layout, state);
    }
    release_cached_memory(device_);
    return end == StageEnd::finished && !stop_.reached();
  }

  void write_model() const {
    const NamedTensors weights = star_layout_.split(star_.optimizer.average);
    export_model(folder_.model(), {.vae = vae_layout_.split(vae_.optimizer.average),
                                   .transformer = without_prefix(weights, kStarPrefix),
                                   .t5 = without_prefix(weights, kT5Prefix),
                                   .t5_architecture = plan_.star.t5,
                                   .vocabulary = folder_.vocabulary(),
                                   .preset = plan_.preset.file});
  }

  TrainReport report(bool finished) const {
    TrainReport report{.finished = finished,
                       .stage = current().stage,
                       .steps_done = current().steps_done,
                       .training_seconds = vae_.seconds + star_.seconds};
    for (const StageSteps& s : stages_of(job_.settings)) {
      if (report.stage == choice_name(s.stage)) report.steps = s.steps;
    }
    return report;
  }

  const TrainJob& job_;
  Progress& progress_;
  RunFolder folder_;
  at::Device device_;
  c10::DeviceGuard guard_;
  TrainingBackends backends_;
  TrainPlan plan_;
  World world_;
  ClipRenderer renderer_;
  std::unique_ptr<Workers> workers_;
  TrainSetting setting_;
  std::optional<ModelLayout> start_;
  ParameterLayout vae_layout_, star_layout_;
  NetworkState vae_, star_;
  TrainLog log_;
  StopRule stop_;
};

}  // namespace

TrainReport run_training(const TrainJob& job, Progress& progress) { return Training(job, progress).run(); }

}  // namespace faststar
