#include "cli/batch_workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "cli/progress/result.h"
#include "cli/progress/signals.h"
#include "cli/worker_group.h"
#include "core/base/log.h"

namespace faststar {
namespace {

/// The first exit code of the workers that is neither 0 nor 1, else the largest.
int exit_code_of(std::vector<Worker>& workers) {
  int code = 0;
  for (Worker& worker : workers) {
    const int own = worker.process->exit_code();
    if (own > 1 && !stop_requested()) log::warn("{}: ended with exit code {}", worker.device, own);
    if (code <= 1 && own > code) code = own;
  }
  return stop_requested() ? stop_exit_code() : code;
}

/// Until the last one has ended, under one progress display.
void show_workers(std::vector<Worker>& workers, ProgressStyle style) {
  JointProgress progress(style, Stage::tokens);
  watch_workers(workers, {.on_message = [&](Worker& worker, const std::string& line) {
                  if (!progress.take(worker.device, line)) relay(worker, line);
                }});
}

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
  share_cores(devices.size());
  const WorkerOutput output = runtime.json ? WorkerOutput::dropped : WorkerOutput::shared;
  const int64_t found = count_finished(run);
  std::vector<Worker> workers;
  for (const std::string& device : devices) {
    workers.push_back({device, std::make_unique<WorkerProcess>(worker_arguments(options, device), output)});
  }
  show_workers(workers, runtime.quiet ? ProgressStyle::none : runtime.progress);
  const int code = exit_code_of(workers);
  const BatchSummary summary = summarize(run, found);
  log::info("{}", describe(summary));
  if (runtime.json) print_result(to_json(summary, run.folder));
  return code;
}

}  // namespace faststar
