#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>

#include "cli/commands.h"
#include "cli/options/command_option.h"
#include "cli/options/help.h"
#include "cli/options/options.h"
#include "cli/progress/progress.h"
#include "cli/progress/result.h"
#include "cli/progress/signals.h"
#include "cli/train_workers.h"
#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/config.h"
#include "core/lab/train/trainer.h"
#include "core/pipeline/batch/shard.h"

namespace faststar {
namespace {

struct TrainCommand {
  std::string config = "train-tiny";
  std::string folder;
  std::string device;
  std::string devices;
  std::string precision;
  std::string stage;
  std::optional<std::string> from;
  std::string progress = "auto";
  std::optional<double> stop_after;
  bool eager = false;
  bool overfit = false;
  // Of a process that --devices starts.
  std::string worker;
  uint16_t rendezvous = 0;
};

/// --devices with one device is --device.
std::string device_of(const TrainCommand& command) {
  const std::vector<std::string> devices = parse_devices(command.devices);
  return devices.empty() ? command.device : devices.front();
}

WorkerPlace place_of(const TrainCommand& command) {
  if (command.worker.empty()) return {};
  const Shard shard = parse_shard(command.worker, "--worker");
  return {.rank = shard.index, .count = shard.count, .port = command.rendezvous};
}

TrainJob plan_training(const TrainCommand& command) {
  TrainJob job{.settings = find_train_settings(command.config),
               .settings_name = command.config,
               .folder = command.folder,
               .device = pick_device(device_of(command)).str(),
               .stop_after_seconds = command.stop_after,
               .place = place_of(command)};
  const bool gpu = job.device != "cpu";
  const auto precision = command.precision.empty() ? (gpu ? Precision::bf16 : Precision::fp32)
                                                   : parse_choice<Precision>("--precision", command.precision);
  job.dtype = precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
  job.execution = gpu && !command.eager ? Execution::graph : Execution::eager;
  if (!command.stage.empty()) job.last_stage = parse_choice<TrainStage>("--stage", command.stage);
  if (command.overfit) job.data = TrainData::few_clips;
  job.from = command.from;
  return job;
}

/// The command line of a process of --devices, without what tells them apart.
std::vector<std::string> worker_arguments(const TrainCommand& command) {
  std::vector<std::string> words = {"train", "--config=" + command.config, "--out=" + command.folder};
  if (command.stop_after) words.push_back(fmt::format("--stop-after={}", *command.stop_after));
  if (!command.stage.empty()) words.push_back("--stage=" + command.stage);
  if (!command.precision.empty()) words.push_back("--precision=" + command.precision);
  if (command.eager) words.emplace_back("--no-graph");
  if (command.overfit) words.emplace_back("--overfit");
  if (command.from) words.push_back("--from=" + *command.from);
  return words;
}

void check_seconds(const std::optional<double>& seconds) {
  constexpr double kMax = 1e8;
  if (seconds && !(*seconds > 0 && *seconds <= kMax)) {
    fail(ErrorKind::usage,
         fmt::format("--stop-after: expected seconds, more than 0 up to {:g}, got {:g}", kMax, *seconds));
  }
}

int run_train(const TrainCommand& command) {
  check_seconds(command.stop_after);
  const auto style = parse_choice<ProgressStyle>("--progress", command.progress);
  const std::vector<std::string> devices = parse_devices(command.devices);
  if (devices.size() > 1) return run_train_workers(worker_arguments(command), devices, style);
  const TrainJob job = plan_training(command);
  stop_in_two_stages();
  ProgressDisplay progress(style);
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
  add("--config", options->config, "settings: a name or a file", "NAME|FILE", kScreenGroup);
  add("--out", options->folder, "the run's folder; goes on from there", "DIR", kScreenGroup)->required();
  add("--from", options->from, "start a new run with a model's weights", "DIR", kScreenGroup);
  add("--stop-after", options->stop_after, "save and end after so many seconds", "SECONDS", kScreenGroup);
  add("--stage", options->stage, "the last stage to run", "NAME", kScreenGroup);
  add("--device", options->device, "cpu, cuda or cuda:N", "NAME", kScreenGroup)->envname("FASTSTAR_DEVICE");
  add("--devices", options->devices, "train together, a process a GPU: 0,1", "LIST", kScreenGroup);
  add("--precision", options->precision, "bf16 on a GPU, fp32 on a CPU", "NAME", kMoreGroup)
      ->envname("FASTSTAR_PRECISION");
  add("--progress", options->progress, "auto, bar, plain, json or none", "STYLE", kMoreGroup)
      ->envname("FASTSTAR_PROGRESS");
  command->add_flag("--no-graph", options->eager, "launch operations one by one (to debug)")->group(kMoreGroup);
  command->add_flag("--overfit", options->overfit, "on a few clips: the loss must fall")->group(kMoreGroup);
  constexpr const char* kHidden = "";
  add("--worker", options->worker, "which process of --devices this is", "I/N", kHidden);
  add("--rendezvous", options->rendezvous, "where they meet", "PORT", kHidden);
  return {command, [options] { return run_train(*options); }};
}

}  // namespace faststar
