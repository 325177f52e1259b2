#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "cli/workers.h"
#include "core/base/device.h"
#include "core/base/launcher.h"
#include "core/base/log.h"
#include "core/lab/train/trainer.h"

namespace faststar {
namespace {

struct TrainCommand {
  TrainJob job{.recipe = "train-tiny"};  ///< as far as options say it as it is
  std::string folder;
  std::string device;
  std::string devices;
  std::string precision;
  std::string stage;
  std::string phase;
  std::string progress = "auto";
  bool eager = false;
  bool overfit = false;
};

void check_command(const TrainCommand& command, const std::vector<RecipeStage>& recipe) {
  constexpr double kMax = 1e8;
  if (const auto seconds = command.job.stop_after_seconds; seconds && !(*seconds > 0 && *seconds <= kMax)) {
    fail(ErrorKind::usage,
         fmt::format("--stop-after: expected seconds, more than 0 up to {:g}, got {:g}", kMax, *seconds));
  }
  TrainPhase phase{};
  if (parse_value(command.stage, Field{}, phase)) {
    fail(ErrorKind::usage, fmt::format("--stage {}: that is a phase, not a stage", command.stage),
         fmt::format("--phase {}", command.stage));
  }
  if (!command.stage.empty()) find_stage(recipe, command.stage);
  if (!command.phase.empty() && command.stage.empty() && recipe.size() > 1) {
    fail(ErrorKind::usage, "--phase: needs --stage too, because the recipe has several stages");
  }
}

/// The job that the stages of a recipe have in common.
TrainJob common_job(const TrainCommand& command, const LaunchedProcess& process) {
  const std::vector<std::string> devices = parse_devices(command.devices);
  std::string device = devices.empty() ? command.device : devices.front();
  if (device.empty()) device = launched_gpu();
  const at::Device picked = pick_device(device);
  TrainJob job = command.job;
  job.folder = command.folder;
  job.device = picked.str();
  if (command.overfit) job.data = TrainData::few_clips;
  const auto precision = command.precision.empty() ? (picked.is_cuda() ? Precision::bf16 : Precision::fp32)
                                                   : parse_choice<Precision>("--precision", command.precision);
  if (precision == Precision::fp8) fail(ErrorKind::usage, "--precision fp8: training takes bf16 or fp32");
  job.dtype = dtype_of(precision);
  job.execution = picked.is_cuda() && !command.eager ? Execution::graph : Execution::eager;
  if (!command.phase.empty()) job.last_phase = parse_choice<TrainPhase>("--phase", command.phase);
  job.workers = join_processes(process, picked);
  return job;
}

int run_train(const CLI::App& app, const TrainCommand& command) {
  const std::vector<RecipeStage> recipe = find_recipe(command.job.recipe);
  check_command(command, recipe);
  const auto style = parse_choice<ProgressStyle>("--progress", command.progress);
  const std::vector<std::string> devices = checked_devices(command.devices, /*has_device=*/false);
  if (devices.size() > 1) {
    return run_together({.words = given_words(app, {"--devices", "--device", "--progress"}),
                         .devices = devices,
                         .style = style,
                         .stage = Stage::train,
                         .lost_hint = "the same command resumes from what was saved",
                         .names_lines = true});
  }
  const LaunchedProcess process = launched_process();
  const bool is_first = process.rank == 0;
  if (!is_first) log::set_quiet(true);
  stop_in_two_stages();
  const TrainJob job = common_job(command, process);
  ProgressDisplay progress(is_first ? style : ProgressStyle::none);
  const TrainReport report = train_recipe(recipe, command.stage, job, progress);
  job.workers->leave();
  if (report.finished && is_first) print_path(report.folder);
  if (!report.finished) {
    log::info("{}: stopped in {} after step {} of {}, {:.0f} s of training; the same command resumes",
              report.folder.string(), report.phase, report.steps_done, report.steps, report.training_seconds);
  }
  return stop_requested() ? stop_exit_code() : 0;
}

}  // namespace

Command add_train(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train", "train a small model from scratch, on procedural clips");
  const auto options = std::make_shared<TrainCommand>();
  const auto add = [&](std::string_view name, auto& value, const std::string& help, const std::string& argument,
                       const std::string& group) {
    return command->add_option(flag_name(name), value, help)
        ->type_name(argument)
        ->group(group)
        ->envname(environment_name(name));
  };
  add("config", options->job.recipe, "the recipe: a name or a file (train-tiny)", "NAME|FILE", kScreenGroup);
  add("out", options->folder, "folder of the run; resumes what is there", "DIR", kScreenGroup)->required();
  add("stage", options->stage, "train only this stage of the recipe", "NAME", kScreenGroup);
  add("from", options->job.from, "start a new run from this model's weights", "DIR", kScreenGroup);
  add("stop_after", options->job.stop_after_seconds, "save and stop after this time", "SECONDS", kScreenGroup);
  add("device", options->device, "cpu, cuda or cuda:N", "NAME", kScreenGroup);
  add("devices", options->devices, "train on several GPUs: 0,1", "LIST", kScreenGroup);
  add("phase", options->phase, "stop after this phase of the stage", "NAME", kMoreGroup);
  add("precision", options->precision, "bf16 (default on a GPU) or fp32", "NAME", kMoreGroup);
  add("progress", options->progress, "auto, bar, plain, json or none", "STYLE", kMoreGroup);
  command->add_flag("--no-graph", options->eager, "no CUDA graphs (to debug)")
      ->group(kMoreGroup)
      ->envname("FASTSTAR_NO_GRAPH");
  command->add_flag("--overfit", options->overfit, "train on a few clips: the loss must fall")
      ->group(kMoreGroup)
      ->envname("FASTSTAR_OVERFIT");
  return {command, [command, options] { return run_train(*command, *options); }};
}

}  // namespace faststar
