#include "cli/devices.h"

#include <c10/util/ScopeExit.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <thread>

#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/workers.h"
#include "core/base/atomic_file.h"
#include "core/base/device.h"
#include "core/base/log.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// The error of the process that failed first, under its name where it is about the process.
Error error_of(const WorkerEnd& end, const std::string& process, const std::string& lost_hint) {
  constexpr std::string_view kOther = "process ";  // what it says of another one
  ErrorKind kind = ErrorKind::internal;
  for (const ErrorKind known :
       {ErrorKind::usage, ErrorKind::input, ErrorKind::model, ErrorKind::device, ErrorKind::output}) {
    if (exit_code(known) == end.exit_code) kind = known;
  }
  const std::string what = end.error.empty() ? fmt::format("ended with exit code {}", end.exit_code) : end.error;
  const bool is_of_process = kind == ErrorKind::device || kind == ErrorKind::internal;
  return {kind, is_of_process && !what.starts_with(kOther) ? fmt::format("{}: {}", process, what) : what,
          end.hint.empty() ? lost_hint : end.hint};
}

/// GPUs exchange tensors through NCCL, CPUs through a store: a mixture cannot.
void check_mixture(const std::vector<std::string>& devices) {
  const std::set<std::string> different(devices.begin(), devices.end());
  const bool only_cpu = different == std::set<std::string>{"cpu"};
  if (only_cpu || (!different.contains("cpu") && different.size() == devices.size())) return;
  fail(ErrorKind::usage,
       fmt::format("--devices: expected different GPUs, or cpu alone, got {}", fmt::join(devices, ",")),
       "--devices 0,1");
}

/// Names like those of the files that a run with these settings writes: in their folders, with their endings.
std::vector<fs::path> files_of(const OutputConfig& output) {
  std::vector<fs::path> files;
  if (output.output) {
    files = {*output.output};
  } else {
    files = {"video.mp4", "video.mkv", "picture.png"};
  }
  files.push_back(files.front().parent_path() / "kept.codes.safetensors");
  for (const auto& more : {output.frames_dir, output.save_codes, output.preview, output.trace}) {
    if (more) files.emplace_back(*more);
  }
  return files;
}

}  // namespace

std::vector<std::string> checked_devices(const std::string& devices, bool has_device) {
  const std::vector<std::string> parsed = parse_devices(devices);
  if (parsed.empty()) return parsed;
  if (has_device) fail(ErrorKind::usage, "--devices: cannot be combined with --device", "leave out --device");
  constexpr size_t kMost = 64;
  if (parsed.size() > kMost) {
    fail(ErrorKind::usage, fmt::format("--devices: expected at most {} devices, got {}", kMost, parsed.size()));
  }
  check_mixture(parsed);
  return parsed;
}

std::vector<std::string> choose_devices(const std::string& devices, FieldTexts& flags) {
  const std::vector<std::string> chosen = checked_devices(devices, flags.contains("device"));
  const bool is_one_of_many = chosen.empty() && launched_process().count > 1 && !environment_text("device");
  const std::string own = is_one_of_many ? launched_gpu() : chosen.empty() ? "" : chosen.front();
  if (!own.empty()) flags.try_emplace("device", own);
  return chosen.size() > 1 ? chosen : std::vector<std::string>();
}

int make_together(const CLI::App& command, const std::vector<std::string>& devices, const Config& config) {
  // At the end, when no process holds them.
  const auto sweep = c10::make_scope_exit([&] {
    for (const fs::path& file : files_of(config.output)) remove_leftovers(file);
  });
  return run_together({.words = given_words(command, {"--devices", "--device", "--progress"}),
                       .devices = devices,
                       .style = shown_style(config.runtime)});
}

int run_together(const JointRun& run) {
  if (const LaunchedProcess process = launched_process(); process.count > 1) {
    fail(ErrorKind::usage, fmt::format("--devices: a launcher has started {} processes already", process.count),
         "leave out --devices: each process takes the GPU of its local rank");
  }
  for (const std::string& device : run.devices) pick_device(device);
  stop_in_two_stages();
  unsetenv("FASTSTAR_PROGRESS");
  unsetenv("FASTSTAR_DEVICES");                           // or each worker would start workers
  setenv("TORCH_CPP_LOG_LEVEL", "ERROR", /*replace=*/0);  // its warnings come with a backtrace
  const GroupStore store;
  std::vector<WorkerCommand> commands;
  for (size_t rank = 0; rank < run.devices.size(); ++rank) {
    const bool helps = rank > 0 && !run.names_lines;
    commands.push_back(
        {.device = run.devices[rank],
         .arguments = run.words,
         .environment = {fmt::format("RANK={}", rank), fmt::format("LOCAL_RANK={}", rank),
                         fmt::format("WORLD_SIZE={}", run.devices.size()), "MASTER_ADDR=127.0.0.1",
                         fmt::format("MASTER_PORT={}", store.port()), "TORCHELASTIC_USE_AGENT_STORE=True"},
         .drops_output = helps,
         .voice = run.names_lines ? WorkerVoice::named
                  : helps         ? WorkerVoice::errors
                                  : WorkerVoice::plain});
  }
  const WorkerEnds ends = run_workers(commands, run.style, run.stage, OnFailure::end_others);
  if (ends.first_failure) {
    const size_t i = *ends.first_failure;
    // It has said why, as a warning or as its result.
    if (ends.all[i].error.empty() && ends.all[i].exit_code < exit_code(ErrorKind::internal))
      return ends.all[i].exit_code;
    throw error_of(ends.all[i], fmt::format("{}, process {} of {}", run.devices[i], i + 1, run.devices.size()),
                   run.lost_hint);
  }
  return stop_requested() ? stop_exit_code() : 0;
}

void pass_on_terminal() {
  if (isatty(STDIN_FILENO) != 1) return;  // a pipe or a file can be read by any process
  int ends[2];
  const int terminal = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  if (terminal < 0 || pipe2(ends, O_CLOEXEC) != 0 || dup2(ends[0], STDIN_FILENO) < 0) {
    fail_errno(ErrorKind::internal, "stdin", "pass on");
  }
  close(ends[0]);
  std::thread([terminal, pipe = ends[1]] {
    char block[4096];
    ssize_t size = 0;
    while ((size = read(terminal, block, sizeof(block))) > 0 && write(pipe, block, static_cast<size_t>(size)) == size) {
    }
    close(pipe);
  }).detach();
}

std::shared_ptr<ProcessGroup> join_group(const std::string& device) {
  const LaunchedProcess process = launched_process();
  if (process.count == 1) return std::make_shared<ProcessGroup>();
  if (process.rank == 0 && std::getenv(kWorkerVariable) == nullptr) {
    log::info("{}: {} processes work together", process.origin, process.count);
  }
  if (process.rank > 0) {
    log::set_sink([](log::Level, std::string_view) {});
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0) fail_errno(ErrorKind::internal, "/dev/null", "open");
  }
  return join_processes(process, pick_device(device));
}

void join_group(ResolvedSettings& resolved, const std::vector<std::string>& devices) {
  const std::string device = resolved.settings.config.runtime.device.value_or("");
  if (!resolved.plan_only) resolved.group = join_group(device);
  resolved.processes = std::max(resolved.group->size(), static_cast<int>(devices.size()));
}

}  // namespace faststar
