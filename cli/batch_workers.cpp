#include "cli/batch_workers.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/batch_report.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "cli/signals.h"
#include "cli/worker_process.h"
#include "core/log.h"

namespace faststar {
namespace {

struct Worker {
  std::string device;
  std::unique_ptr<WorkerProcess> process;
};

/// One progress for all workers. Each counts what the others finish too, so the one that is furthest knows best.
class JointProgress {
 public:
  explicit JointProgress(ProgressStyle style) : display_(style) { display_.plan(Stage::tokens, 1); }

  /// True when `line` was a progress event.
  bool take(const std::string& device, const std::string& line) {
    const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!event.is_object() || !event.contains("fraction") || !event.contains("detail")) return false;
    const double fraction = event["fraction"];
    const double more = std::max(0.0, fraction - shown_);
    shown_ += more;
    display_.advance(Stage::tokens, more, fmt::format("{}: {}", device, event["detail"].get<std::string>()));
    return true;
  }

 private:
  ProgressDisplay display_;
  double shown_ = 0;
};

class WorkerGroup {
 public:
  WorkerGroup(std::vector<Worker> workers, ProgressStyle style) : workers_(std::move(workers)), progress_(style) {}

  /// Until the last worker has nothing more to say.
  void watch() {
    while (true) {
      std::vector<pollfd> pipes;
      for (const Worker& worker : workers_) pipes.push_back({worker.process->messages(), POLLIN, 0});
      if (std::ranges::all_of(pipes, [](const pollfd& pipe) { return pipe.fd < 0; })) return;
      constexpr int kMilliseconds = 100;
      poll(pipes.data(), pipes.size(), kMilliseconds);
      for (size_t i = 0; i < pipes.size(); ++i) {
        if (pipes[i].revents != 0) read(workers_[i]);
      }
      pass_stop_on();
    }
  }

  /// Of all of them.
  int exit_code() {
    int code = 0;
    for (Worker& worker : workers_) {
      const int own = worker.process->exit_code();
      if (own > 1 && !told_to_stop_) log::warn("{}: ended with exit code {}", worker.device, own);
      if (code <= 1 && own > code) code = own;
    }
    return told_to_stop_ ? stop_exit_code() : code;
  }

 private:
  void read(Worker& worker) {
    worker.process->read_messages([&](const std::string& line) {
      if (!progress_.take(worker.device, line)) log::info("{}: {}", worker.device, line);
    });
  }

  /// A second signal ends this process, and with it the workers.
  void pass_stop_on() {
    if (told_to_stop_ || !stop_requested()) return;
    told_to_stop_ = true;
    for (const Worker& worker : workers_) worker.process->send(SIGINT);
  }

  std::vector<Worker> workers_;
  JointProgress progress_;
  bool told_to_stop_ = false;
};

int64_t count_finished(const BatchRun& run) {
  const Manifest manifest(run.folder.manifest());
  return std::ranges::count_if(
      run.items, [&](const BatchItem& item) { return is_finished(run.folder, item, manifest.find(item.file)); });
}

/// What the workers left, from the manifest; `found` was there before them.
BatchSummary summarize(const BatchRun& run, int64_t found) {
  const Manifest manifest(run.folder.manifest());
  BatchSummary summary{.items = static_cast<int64_t>(run.items.size()), .found = found};
  summary.made = count_finished(run) - found;
  for (const BatchItem& item : run.items) {
    const ItemState* state = manifest.find(item.file);
    if (is_finished(run.folder, item, state)) {
      summary.text_cut += state->last.result.text_cut ? 1 : 0;
    } else if (state != nullptr && !state->last.finished) {
      summary.failed.push_back({item.file, state->last.error});
    }
  }
  return summary;
}

}  // namespace

std::vector<std::string> worker_arguments(const BatchOptions& options, const std::string& device) {
  std::vector<std::string> words = {"batch", options.list};
  const auto add = [&](const std::string& flag, const std::string& value) {
    words.push_back(fmt::format("{}={}", flag, value));
  };
  FieldTexts flags = options.making.settings.flags;
  flags["device"] = device;
  flags["progress"] = "json";
  flags.erase("json");
  for (const auto& [field, text] : flags) add(flag_name(field), text);
  if (!options.making.settings.config.empty()) add("--config", options.making.settings.config);
  if (!options.refined.empty()) add("--refined", options.refined);
  if (!options.images.empty()) add("--images", options.images);
  if (options.samples > 0) add("--samples", std::to_string(options.samples));
  if (options.vbench) words.emplace_back("--vbench");
  if (options.keep_codes) words.emplace_back("--keep-codes");
  add("--retries", std::to_string(options.retries));
  const Shard shard = chosen_shard(options);
  add("--shard", fmt::format("{}/{}", shard.index + 1, shard.count));
  return words;
}

int run_workers(const BatchOptions& options, const std::vector<std::string>& devices, const BatchRun& run,
                const RuntimeConfig& runtime) {
  stop_in_two_stages();
  unsetenv("FASTSTAR_DEVICES");  // or each worker would start workers
  unsetenv("FASTSTAR_JSON");
  const WorkerOutput output = runtime.json ? WorkerOutput::dropped : WorkerOutput::shared;
  const int64_t found = count_finished(run);
  std::vector<Worker> workers;
  for (const std::string& device : devices) {
    workers.push_back({device, std::make_unique<WorkerProcess>(worker_arguments(options, device), output)});
  }
  int code = 0;
  {
    WorkerGroup group(std::move(workers), runtime.quiet ? ProgressStyle::none : runtime.progress);
    group.watch();
    code = group.exit_code();
  }
  const BatchSummary summary = summarize(run, found);
  log::info("{}", describe(summary));
  if (runtime.json) print_result(to_json(summary, run.folder));
  return code;
}

}  // namespace faststar
