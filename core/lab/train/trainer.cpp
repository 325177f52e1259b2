#include "core/lab/train/trainer.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/config/model_folder.h"
#include "core/lab/train/model_weights.h"
#include "core/lab/train/run_folder.h"
#include "core/lab/train/star_phase.h"
#include "core/lab/train/vae_phase.h"

namespace faststar {
namespace {

constexpr const char* kVaeName = "vae";
constexpr const char* kStarName = "star";
/// The phase of a network after its last one.
constexpr const char* kDone = "done";
/// Scenes of TrainData::few_clips, of each process: enough for 8 captions of one length.
constexpr int64_t kFewClips = 128;

struct PhaseSteps {
  TrainPhase phase;
  int64_t steps;
};

/// The phases that take steps, in order.
std::vector<PhaseSteps> phases_of(const TrainSettings& s) {
  return {{TrainPhase::vae_crops, s.vae_crops.steps},
          {TrainPhase::vae_frames, s.vae_frames.steps},
          {TrainPhase::vae_decoder, s.vae_decoder.steps},
          {TrainPhase::star_short, s.star_short.steps},
          {TrainPhase::star_long, s.star_long.steps}};
}

/// The phase of the run's first step.
TrainPhase first_phase_with_steps(const TrainSettings& settings) {
  const auto phases = phases_of(settings);
  const auto first = std::ranges::find_if(phases, [](const PhaseSteps& s) { return s.steps > 0; });
  return first == phases.end() ? TrainPhase::model : first->phase;
}

/// LibTorch's settings during training; afterwards those of all commands again.
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

StopRule stop_rule(const TrainJob& job, const Progress& progress, ProcessGroup& workers) {
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

/// One call: the networks, where they are, and the phases.
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
        workers_(*job.workers),
        run_{.world = world_,
             .renderer = renderer_,
             .device = device_,
             .dtype = job.dtype,
             .execution = job.execution,
             .seed = static_cast<uint64_t>(job.settings.run.seed),
             .workers = workers_,
             .samples = folder_.samples(),
             .sample_clips = job.settings.run.sample_clips,
             .only_scenes =
                 job.data == TrainData::few_clips ? std::optional(kFewClips * workers_.size()) : std::nullopt},
        start_(starting_model(job)),
        vae_layout_(vae_layout(plan_.vae.architecture)),
        star_layout_(star_layout(plan_.star.star, plan_.star.t5)),
        vae_(load_or_start_vae()),
        star_(load_or_start_star()),
        log_(is_first() ? TrainLog(folder_.log()) : TrainLog()),
        stop_(stop_rule(job, progress, workers_)) {}

  TrainReport run() {
    announce();
    if (is_first()) {
      if (current().phase == kDone) log::warn("{}: already trained to the end", job_.folder.string());
      warn_of_changes();
      log_.begin({.config = job_.recipe,
                  .stage = job_.stage,
                  .from = job_.from,
                  .processes = workers_.size(),
                  .settings = setting_texts(job_.settings)});
      provide_vocabulary();
    }
    workers_.meet();  // all have read the folder: from now on the first one writes to it
    const bool finished = run_phases();
    if (is_first()) {
      plot_losses(read_train_log(folder_.log()), folder_.loss_plot());
      if (finished && asked_for(TrainPhase::model)) write_model();
    }
    workers_.meet();  // the files are there for all
    return report(finished);
  }

 private:
  bool is_first() const { return workers_.rank() == 0; }

  /// Warns of settings that differ from those of the previous call.
  void warn_of_changes() const {
    const auto before = read_train_log(folder_.log()).settings;
    std::vector<std::string> changes;
    for (const auto& [name, value] : setting_texts(job_.settings)) {
      const auto was = before.find(name);
      if (was == before.end() || was->second == value) continue;
      changes.push_back(fmt::format("{} {} (was {})", name, value, was->second));
    }
    if (changes.empty()) return;
    log::warn("{}: resumed with changed settings: {}", job_.folder.string(), fmt::join(changes, ", "));
  }

  bool asked_for(TrainPhase phase) const { return !job_.last_phase || phase <= *job_.last_phase; }

  NetworkState load_or_start_vae() const {
    if (auto state = folder_.load(kVaeName, vae_layout_, device_)) return *state;
    return start(vae_layout_, start_ ? read_weights(start_->vae) : initial_vae(plan_.vae.architecture, run_.seed),
                 TrainPhase::vae_crops);
  }

  NetworkState load_or_start_star() const {
    if (auto state = folder_.load(kStarName, star_layout_, device_)) return *state;
    NamedTensors weights =
        with_prefix(start_ ? read_weights(start_->transformer) : initial_star(plan_.star.star, run_.seed), kStarPrefix);
    weights.merge(with_prefix(start_ ? read_weights(start_->t5) : initial_t5(plan_.star.t5, run_.seed), kT5Prefix));
    return start(star_layout_, weights, TrainPhase::star_short);
  }

  NetworkState start(const ParameterLayout& layout, const NamedTensors& initial, TrainPhase first) const {
    const std::string origin = start_ ? "--from " + *job_.from : "initial weights";
    return {.optimizer = initial_state(layout.join(initial, origin, device_)),
            .phase = std::string(choice_name(first))};
  }

  void provide_vocabulary() const {
    folder_.provide_vocabulary(start_ ? std::optional(start_->vocabulary()) : std::nullopt, job_.settings.world,
                               plan_.star.t5.vocabulary);
  }

  const NetworkState& current() const { return vae_.phase == kDone ? star_ : vae_; }

  /// Plans the steps that this call may take, for the estimate of the time left.
  void announce() {
    double steps = 0;
    bool over = current().phase != kDone;  // phases before the current one are
    for (const PhaseSteps& s : phases_of(job_.settings)) {
      const bool here = choice_name(s.phase) == current().phase;
      over = over && !here;
      if (!over && asked_for(s.phase)) steps += static_cast<double>(s.steps - (here ? current().steps_done : 0));
    }
    progress_.plan(Stage::train, current().phase == kDone ? 0 : steps);
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

  bool run_phases() {
    const TrainSettings& s = job_.settings;
    return run_vae_phase(TrainPhase::vae_crops, s.vae_crops, choice_name(TrainPhase::vae_frames)) &&
           run_vae_phase(TrainPhase::vae_frames, s.vae_frames, choice_name(TrainPhase::vae_decoder)) &&
           run_vae_phase(TrainPhase::vae_decoder, s.vae_decoder, kDone) &&
           run_star_phase(TrainPhase::star_short, s.star_short, choice_name(TrainPhase::star_long)) &&
           run_star_phase(TrainPhase::star_long, s.star_long, kDone);
  }

  /// False when the call has to end in this phase.
  bool run_vae_phase(TrainPhase phase, const VaePhaseSettings& settings, std::string_view next) {
    if (!asked_for(phase) || vae_.phase != choice_name(phase)) return true;
    if (settings.steps == 0) return finish_phase(PhaseEnd::finished, vae_, kVaeName, vae_layout_, next);
    const auto part = phase == TrainPhase::vae_decoder ? TrainedPart::decoder : TrainedPart::everything;
    VaePhase training(run_, plan_.vae, settings, part, vae_layout_, vae_);
    if (!start_ && vae_.steps_done == 0 && phase == first_phase_with_steps(job_.settings)) training.scale_features();
    const PhaseEnd end =
        run_phase(training.task(vae_.phase), {vae_layout_, job_.settings.vae_optimizer}, training.gradient(), vae_,
                  loop_settings(kVaeName, vae_layout_), stop_, log_, progress_);
    return finish_phase(end, vae_, kVaeName, vae_layout_, next);
  }

  bool run_star_phase(TrainPhase phase, const StarPhaseSettings& settings, std::string_view next) {
    if (!asked_for(phase) || star_.phase != choice_name(phase)) return true;
    if (settings.steps == 0) return finish_phase(PhaseEnd::finished, star_, kStarName, star_layout_, next);
    const Tokenizer tokenizer(folder_.vocabulary());
    const CaptionPool pool(world_, tokenizer,
                           {.seed = run_.seed,
                            .scenes = run_.only_scenes.value_or(settings.pool),
                            .longest_text = plan_.longest_text,
                            .length_evenness = settings.length_evenness,
                            .worker = workers_.rank(),
                            .workers = workers_.size()});
    const StarSamples samples(run_, plan_, tokenizer);
    StarPhase training(run_, plan_.star, settings, {plan_.vae, vae_.optimizer.average}, pool, samples, star_layout_,
                       star_);
    const PhaseEnd end =
        run_phase(training.task(star_.phase), {star_layout_, job_.settings.star_optimizer}, training.gradient(), star_,
                  loop_settings(kStarName, star_layout_), stop_, log_, progress_);
    return finish_phase(end, star_, kStarName, star_layout_, next);
  }

  bool finish_phase(PhaseEnd end, NetworkState& state, const char* name, const ParameterLayout& layout,
                    std::string_view next) {
    if (end == PhaseEnd::finished) {
      enter_phase(state, std::string(next));
      save(name, layout, state);
    }
    release_cached_memory(device_);
    return end == PhaseEnd::finished && !stop_.reached();
  }

  void write_model() const {
    const NamedTensors weights = star_layout_.split(star_.optimizer.average);
    export_model(folder_.model(), {.vae = vae_layout_.split(vae_.optimizer.average),
                                   .transformer = without_prefix(weights, kStarPrefix),
                                   .t5 = without_prefix(weights, kT5Prefix),
                                   .t5_architecture = plan_.star.t5,
                                   .vocabulary = folder_.vocabulary(),
                                   .preset = plan_.preset.file,
                                   .words = world_words(job_.settings.world)});
  }

  TrainReport report(bool finished) const {
    TrainReport report{.folder = job_.folder,
                       .finished = finished,
                       .phase = current().phase,
                       .steps_done = current().steps_done,
                       .training_seconds = vae_.seconds + star_.seconds};
    for (const PhaseSteps& s : phases_of(job_.settings)) {
      if (report.phase == choice_name(s.phase)) report.steps = s.steps;
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
  ProcessGroup& workers_;
  RunContext run_;
  std::optional<ModelLayout> start_;
  ParameterLayout vae_layout_, star_layout_;
  NetworkState vae_, star_;
  TrainLog log_;
  StopRule stop_;
};

/// The model is the last that a run writes, and its preset the last of that.
bool is_trained(const std::filesystem::path& folder) {
  return std::filesystem::exists(RunFolder::model_of(folder) / "model.yaml");
}

/// The run of a stage, which starts from `from`, else from the model of the stage that it names.
TrainJob stage_job(const RecipeStage& stage, const TrainJob& common, std::optional<std::string> from) {
  TrainJob job = common;
  job.settings = stage.settings;
  job.stage = stage.name;
  if (!stage.name.empty()) job.folder /= stage.name;
  if (!from && !stage.from.empty()) {
    const std::filesystem::path start = common.folder / stage.from;
    if (!is_trained(start)) {
      fail(ErrorKind::usage,
           fmt::format("stage {} starts from stage {}: {} holds no finished run", stage.name, stage.from,
                       start.string()),
           fmt::format("train that stage first, or name a model: --from {}",
                       shell_quoted(embedded_model_dir().string())));
    }
    from = RunFolder::model_of(start).string();
  }
  job.from = std::move(from);
  return job;
}

}  // namespace

TrainReport run_training(const TrainJob& job, Progress& progress) { return Training(job, progress).run(); }

TrainReport train_recipe(const std::vector<RecipeStage>& recipe, const std::string& only, const TrainJob& common,
                         Progress& progress) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  TrainReport report;
  std::optional<std::string> from = common.from;
  for (const RecipeStage& stage : recipe) {
    if (!only.empty() && stage.name != only) continue;
    TrainJob job = stage_job(stage, common, std::exchange(from, std::nullopt));
    if (job.stop_after_seconds) {
      job.stop_after_seconds = *common.stop_after_seconds - std::chrono::duration<double>(Clock::now() - start).count();
    }
    report = {.folder = job.folder, .finished = true};
    if (stage.name.empty() || !common.workers->agree(is_trained(job.folder))) {
      report = run_training(job, progress);
    } else {
      log::info("{}: already trained", job.folder.string());
    }
    if (!report.finished) break;
  }
  return report;
}

}  // namespace faststar
