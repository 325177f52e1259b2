#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "cli/batch.h"
#include "cli/progress/result.h"
#include "cli/progress/signals.h"
#include "cli/workers.h"
#include "core/base/log.h"
#include "core/pipeline/batch/batch_items.h"

namespace faststar {
namespace {

/// The first exit code of the workers that is neither 0 nor 1, else the largest.
int exit_code_of(const WorkerEnds& ends, const std::vector<WorkerCommand>& commands) {
  if (stop_requested()) return stop_exit_code();
  int code = 0;
  for (size_t i = 0; i < commands.size(); ++i) {
    const int own = ends.all[i].exit_code;
    if (own > 1) log::warn("{}: ended with exit code {}", commands[i].device, own);
    if (code <= 1) code = std::max(code, own);
  }
  return code;
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

/// The command line of a worker, without the program.
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
  const Shard shard = choose_shard(options.shard);
  add("--shard", fmt::format("{}/{}", shard.index + 1, shard.count));
  return words;
}

}  // namespace

int run_batch_workers(const BatchOptions& options, const std::vector<std::string>& devices, const BatchRun& run,
                      const RuntimeConfig& runtime) {
  stop_in_two_stages();
  unsetenv("FASTSTAR_DEVICES");  // or each worker would start workers
  unsetenv("FASTSTAR_JSON");
  const WorkerOutput output = runtime.json ? WorkerOutput::dropped : WorkerOutput::shared;
  const int64_t found = count_finished(run);
  std::vector<WorkerCommand> commands;
  for (const std::string& device : devices) {
    commands.push_back({.device = device, .arguments = worker_arguments(options, device), .output = output});
  }
  const int code =
      exit_code_of(run_workers(commands, shown_style(runtime), Stage::tokens, OnFailure::keep_others), commands);
  const BatchSummary summary = summarize(run, found);
  log::info("{}", describe(summary));
  if (runtime.json) print_result(to_json(summary, run.folder));
  return code;
}

}  // namespace faststar
