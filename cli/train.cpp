#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>

#include "cli/choice.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "cli/signals.h"
#include "core/config/installation.h"
#include "core/config/runtime.h"
#include "core/device.h"
#include "core/error.h"
#include "core/log.h"
#include "core/train/trainer.h"

namespace faststar {
namespace {

struct TrainCommand {
  std::string config = "train-tiny";
  std::string folder;
  std::string device;
  std::string precision;
  std::string stage;
  std::string progress = "auto";
  std::optional<double> stop_after;
  bool eager = false;
  bool overfit = false;
};

std::filesystem::path config_file(const std::string& name_or_file) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(name_or_file, ignored)) return name_or_file;
  const auto file = preset_file(name_or_file);
  if (file.empty()) fail(ErrorKind::usage, fmt::format("--config {}: no such file", name_or_file));
  return file;
}

TrainJob plan_training(const TrainCommand& command) {
  TrainJob job{.settings = read_train_settings(config_file(command.config)),
               .folder = command.folder,
               .device = pick_device(command.device).str(),
               .stop_after_seconds = command.stop_after};
  const bool gpu = job.device != "cpu";
  const auto precision = command.precision.empty() ? (gpu ? Precision::bf16 : Precision::fp32)
                                                   : parse_choice<Precision>("--precision", command.precision);
  job.dtype = precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
  job.execution = gpu && !command.eager ? Execution::graph : Execution::eager;
  if (!command.stage.empty()) job.last_stage = parse_choice<TrainStage>("--stage", command.stage);
  if (command.overfit) job.data = TrainData::few_clips;
  return job;
}

int run_train(const TrainCommand& command) {
  const TrainJob job = plan_training(command);
  stop_in_two_stages();
  ProgressDisplay progress(parse_choice<ProgressStyle>("--progress", command.progress));
  const TrainReport report = run_training(job, progress);
  if (report.finished) {
    print_path(job.folder);
  } else {
    log::info("stopped in {} after step {} of {}, {:.0f} s of training; the same command goes on", report.stage,
              report.steps_done, report.steps, report.training_seconds);
  }
  return stop_requested() ? stop_exit_code() : 0;
}

}  // namespace

Command add_train(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train", "train a small model from scratch, on procedural clips");
  const auto options = std::make_shared<TrainCommand>();
  const auto add = [&](const std::string& name, auto& value, const std::string& help, const std::string& argument,
                       const std::string& group) {
    return command->add_option(name, value, help)->type_name(argument)->group(group);
  };
  add("--config", options->config, "settings: train-tiny or a file", "NAME|FILE", kScreenGroup);
  add("--out", options->folder, "folder of the run; goes on with what is there", "DIR", kScreenGroup)->required();
  add("--stop-after", options->stop_after, "save and end after so many seconds", "SECONDS", kScreenGroup);
  add("--stage", options->stage, "the last stage to run", "NAME", kScreenGroup);
  add("--device", options->device, "cpu, cuda or cuda:N; the GPU where there is one", "NAME", kScreenGroup)
      ->envname("FASTSTAR_DEVICE");
  add("--precision", options->precision, "of matrix products; bf16 on a GPU, fp32 on a CPU", "NAME", kMoreGroup)
      ->envname("FASTSTAR_PRECISION");
  add("--progress", options->progress, "auto, bar, plain, json or none", "STYLE", kMoreGroup)
      ->envname("FASTSTAR_PROGRESS");
  command->add_flag("--no-graph", options->eager, "launch operations one by one (to debug)")->group(kMoreGroup);
  command->add_flag("--overfit", options->overfit, "train on a few clips only: the loss must fall fast")
      ->group(kMoreGroup);
  return {command, [options] { return run_train(*options); }};
}

}  // namespace faststar
