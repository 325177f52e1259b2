#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "cli/workers.h"
#include "core/base/launcher.h"
#include "core/base/log.h"
#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/batch/batch_items.h"
#include "core/pipeline/batch/entry_stream.h"
#include "core/pipeline/batch/pipeline_runner.h"

namespace faststar {
namespace {

struct BatchOptions {
  std::string list;
  std::string refined;
  std::string images;
  std::string shard;
  std::string devices;
  int samples = 0;  ///< 0: the default of the list's kind
  int retries = 1;
  bool vbench = false;
  bool check = false;
  bool keep_codes = false;
  MakingOptions making;

  bool reads_stdin() const { return list == "-"; }
};

/// A range check that does not replace "N" in the help.
CLI::Validator from_to(int least, int most) { return CLI::Range(least, most).description(""); }

/// Throws Error(usage) for what has no meaning when entries come from stdin.
void check_stdin_options(const BatchOptions& options) {
  const auto refuse = [](const std::string& what, const char* why, const char* hint) {
    fail(ErrorKind::usage, fmt::format("{}: {}, but FILE is -, which reads entries from stdin", what, why), hint);
  };
  constexpr const char* kNeedsList = "needs a list in a file";
  constexpr const char* kWriteList = "write the entries to a .jsonl file, one per line";
  if (options.check) refuse("--check", kNeedsList, kWriteList);
  if (options.vbench) refuse("--vbench", kNeedsList, kWriteList);
  if (!options.refined.empty()) refuse("--refined", kNeedsList, "give each entry its refined_prompt");
  if (!options.images.empty()) refuse("--images", kNeedsList, "give each entry its image");
  if (!options.shard.empty()) refuse("--shard", kNeedsList, kWriteList);
  if (!options.devices.empty()) refuse("--devices", "shares out a list in a file", "--device chooses one GPU");
  const LaunchedProcess process = launched_process();
  if (process.count > 1) refuse(process.origin, "several processes share a list in a file", kWriteList);
}

/// The folder: -o, else FASTSTAR_OUTPUT, else runs/<name of the list>. Needs no model.
std::filesystem::path batch_root(const BatchOptions& options) {
  const auto flag = options.making.settings.flags.find("output");
  if (flag != options.making.settings.flags.end()) return flag->second;
  if (const auto variable = environment_text("output")) return *variable;
  return std::filesystem::path("runs") / (options.reads_stdin() ? "stdin" : std::filesystem::path(options.list).stem());
}

ItemRules item_rules(const BatchOptions& options, const Config& config) {
  if (options.vbench && config.output.encoding.lossless) {
    fail(ErrorKind::usage, "--vbench cannot be combined with --lossless: VBench reads .mp4", "leave out --lossless");
  }
  ItemRules rules{.for_benchmark = options.vbench,
                  .base_seed = config.sampling.seed.value_or(0),
                  .ending = config.output.encoding.lossless ? ".mkv" : ".mp4"};
  if (options.samples > 0) rules.samples = options.samples;
  return rules;
}

/// The videos of the list. The aspect of `config` chooses the crop of a VBench-I2V image.
std::vector<BatchItem> whole_list(const BatchOptions& options, const Config& config) {
  PromptListFiles files{.list = options.list, .keep_unreadable = options.making.dry_run};
  if (!options.refined.empty()) files.refined = options.refined;
  if (!options.images.empty()) files.images = options.images;
  files.aspect = static_cast<double>(config.generate.aspect.width) / config.generate.aspect.height;
  return list_items(read_prompt_list(files), item_rules(options, config));
}

std::vector<BatchItem> part_of(const std::vector<BatchItem>& items, const Shard& shard) {
  if (shard.count == 1) return items;
  std::vector<BatchItem> part;
  for (size_t i = static_cast<size_t>(shard.index); i < items.size(); i += static_cast<size_t>(shard.count)) {
    part.push_back(items[i]);
  }
  log::info("part {} of {} ({}): {} of {} videos", shard.index + 1, shard.count, shard.origin, part.size(),
            items.size());
  return part;
}

/// The videos of this process; none yet when they come from stdin.
std::vector<BatchItem> list_part(const BatchOptions& options, const Config& config) {
  if (options.reads_stdin()) return {};
  const Shard shard = choose_shard(options.shard);
  return part_of(whole_list(options, config), shard);
}

/// What --check looks at: the whole list, wherever it runs, or the part that --shard names.
std::vector<BatchItem> list_to_check(const BatchOptions& options, const Config& config) {
  const std::vector<BatchItem> items = whole_list(options, config);
  const bool names_part = !options.shard.empty() && options.shard != kArrayShard;
  return names_part ? part_of(items, parse_shard(options.shard, "--shard")) : items;
}

int run_check(const BatchOptions& options) {
  const BatchFolder folder(batch_root(options));
  const Config config = read_batch_settings(folder.config()).value_or(Config{});
  const Coverage coverage = check_coverage(folder, list_to_check(options, config));
  const bool json = options.making.settings.flags.contains("json");
  print_result(json ? to_json(coverage, folder) : describe(coverage));
  return coverage.complete() ? 0 : 1;
}

/// The first item without settings of its own, but for its picture: to check the shared settings.
const BatchItem* plain_item(const BatchOptions& options, const std::vector<BatchItem>& items) {
  static const BatchItem kOfStdin = {.origin = "stdin", .prompt = "a red ball", .text = "a red ball"};
  if (options.reads_stdin()) return &kOfStdin;
  const auto plain = std::ranges::find_if(items, [](const BatchItem& item) {
    return item.problem.empty() && item.options.size() == item.options.count("image");
  });
  return plain == items.end() ? nullptr : &*plain;
}

struct PlannedBatch {
  ResolvedSettings resolved;
  ModelSetup setup;
  BatchRun run;
};

PlannedBatch plan_batch(BatchOptions& options) {
  ResolvedSettings resolved = resolve_options(options.making);
  const ModelSetup setup = model_setup(resolved);
  const BatchFolder folder(batch_root(options));
  settle_batch_settings(folder, setup.precision, resolved);
  const Config& config = resolved.settings.config;
  BatchRun run{.folder = folder,
               .items = list_part(options, config),
               .settings_hash = settings_hash(config),
               .retries = options.retries,
               .keep_codes = options.keep_codes};
  return {std::move(resolved), setup, std::move(run)};
}

void describe_batch(const BatchOptions& options, const PlannedBatch& batch) {
  log::info("folder: {}", batch.run.folder.root().string());
  log::info("videos: {}, base seed {}",
            options.reads_stdin() ? "as stdin says" : fmt::to_string(batch.run.items.size()),
            *batch.resolved.settings.config.sampling.seed);
  log::info("model: {}", describe_model(batch.setup.model));
  log::info("device: {}, {}", batch.setup.device, choice_name(batch.setup.precision));
}

/// What is wrong with single entries, before hours of work.
void warn_of_problems(const std::vector<BatchItem>& items) {
  constexpr size_t kShown = 20;
  std::set<std::string> origins;
  for (const BatchItem& item : items) {
    if (item.problem.empty() || !origins.insert(item.origin).second) continue;
    if (origins.size() <= kShown) log::warn("{}: {}", item.origin, item.problem);
  }
  if (origins.size() > kShown) log::warn("{} more entries cannot be made", origins.size() - kShown);
}

/// The videos that are not there yet.
std::vector<BatchItem> missing_items(const BatchRun& run) {
  const Manifest manifest(run.folder.manifest());
  std::vector<BatchItem> missing = run.items;
  std::erase_if(missing,
                [&](const BatchItem& item) { return is_finished(run.folder, item, manifest.find(item.file)); });
  return missing;
}

/// What this process needs for the videos that are missing, when no other one helps; logs it.
std::optional<TimeEstimate> estimate_time(const BatchRun& run, PipelineRunner& runner) {
  const auto [videos, time] = runner.time_of(missing_items(run));
  if (videos > 0) log::info("time: {}, {} video{}", time_text(time), videos, videos == 1 ? "" : "s");
  return time;
}

/// Checks every entry and lists what would fail. Returns the exit code.
int run_dry(const BatchOptions& options, PlannedBatch& batch, PipelineRunner& runner) {
  const Config& config = batch.resolved.settings.config;
  if (options.reads_stdin() && isatty(STDIN_FILENO) == 0) {
    EntryStream entries(STDIN_FILENO, "stdin", item_rules(options, config));
    while (!entries.ended()) {
      std::ranges::move(entries.take(std::chrono::milliseconds(100)), std::back_inserter(batch.run.items));
    }
    entries.check();
  }
  const auto problems = find_problems(batch.run, [&](const BatchItem& item) { return runner.problem_of(item); });
  const auto time = estimate_time(batch.run, runner);
  print_result(config.runtime.json ? to_json(problems, batch.run, time) : describe(problems, batch.run));
  return problems.empty() ? 0 : 1;
}

void begin_folder(const PlannedBatch& batch) {
  batch.run.folder.create(batch.run.items);
  check_names_fit(batch.run.folder, batch.run.items);
  save_folder_settings(batch.run.folder, batch.resolved);
}

void log_summary(const BatchSummary& summary) {
  for (const std::string& line : describe(summary)) log::info("{}", line);
}

void report(const BatchSummary& summary, const PlannedBatch& batch, std::chrono::steady_clock::time_point start) {
  log_summary(summary);
  if (!batch.resolved.settings.config.runtime.json) return;
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  print_result(to_json(summary, batch.run.folder, {taken.count(), peak_memory_bytes(summary.peak_bytes)}));
}

/// 1 when a video is missing, 6 when only codes that were to be kept are.
int exit_code_of(const BatchSummary& summary) {
  if (!summary.failed.empty()) return 1;
  return summary.without_codes.empty() ? 0 : exit_code(ErrorKind::output);
}

BatchSummary make_videos(const PlannedBatch& batch, PipelineRunner& runner) {
  const RuntimeConfig& runtime = batch.resolved.settings.config.runtime;
  stop_in_two_stages();
  ProgressDisplay progress(runtime);
  return run_batch(batch.run, runner, progress, [&](const ItemResult& result) {
    if (result.end == ItemEnd::made && !runtime.json) print_path(batch.run.folder.video(result.item));
  });
}

/// Makes the entries of stdin as they come, and prints a line of JSON for each video. Returns the exit code.
int make_entries_of_stdin(const BatchOptions& options, const PlannedBatch& batch, PipelineRunner& runner) {
  const Config& config = batch.resolved.settings.config;
  stop_in_two_stages();
  if (isatty(STDIN_FILENO) == 1) {
    log::info("type one entry per line, such as {{\"prompt\": \"a red ball\"}}; Ctrl-D ends the batch");
  }
  EntryStream entries(STDIN_FILENO, "stdin", item_rules(options, config));
  ProgressDisplay progress(config.runtime);
  const BatchSummary summary = run_batch(batch.run, entries, runner, progress, [&](const ItemResult& result) {
    print_result(to_json_line(result, batch.run.folder));
    if (std::ferror(stdout) != 0) {
      fail(ErrorKind::output, "stdout: the results cannot be written any more", "the same command and lines resume");
    }
  });
  log_summary(summary);
  entries.check();
  return exit_code_of(summary);
}

/// The first exit code of the workers that is neither 0 nor 1, else the largest.
int exit_code_of(const WorkerEnds& ends, const std::vector<std::string>& devices) {
  if (stop_requested()) return stop_exit_code();
  int code = 0;
  for (size_t i = 0; i < devices.size(); ++i) {
    const int own = ends.all[i].exit_code;
    if (own > 1) log::warn("{}: ended with exit code {}", devices[i], own);
    if (code <= 1) code = std::max(code, own);
  }
  return code;
}

/// What workers have made so far, from the manifest.
BatchSummary summarize(const BatchRun& run) {
  const Manifest manifest(run.folder.manifest());
  BatchSummary summary{.items = static_cast<int64_t>(run.items.size())};
  for (const BatchItem& item : run.items) {
    const ItemState* state = manifest.find(item.file);
    if (is_finished(run.folder, item, state)) {
      ++summary.made;
      summary.text_cut += state->last.result.text_cut ? 1 : 0;
      summary.peak_bytes = std::max(summary.peak_bytes, state->last.result.peak_bytes);
    } else if (state != nullptr && !state->last.finished) {
      summary.failed.push_back({item.file, state->last.error});
    }
  }
  return summary;
}

/// Runs the batch in one process per device: this program again, on the same folder, where locks share the items out.
/// Returns the exit code.
int run_workers_on(const std::vector<std::string>& devices, std::vector<std::string> arguments, const Shard& shard,
                   const PlannedBatch& batch) {
  const RuntimeConfig& runtime = batch.resolved.settings.config.runtime;
  stop_in_two_stages();
  const auto start = std::chrono::steady_clock::now();
  unsetenv("FASTSTAR_DEVICES");  // or each worker would start workers
  unsetenv("FASTSTAR_JSON");
  arguments.push_back(fmt::format("--shard={}/{}", shard.index + 1, shard.count));
  std::vector<WorkerCommand> commands;
  for (const std::string& device : devices) {
    commands.push_back({.device = device, .arguments = arguments, .drops_output = runtime.json});
  }
  const int64_t found = summarize(batch.run).made;
  const WorkerEnds ends = run_workers(commands, shown_style(runtime), Stage::tokens, OnFailure::keep_others);
  const int code = exit_code_of(ends, devices);
  BatchSummary summary = summarize(batch.run);
  summary.found = found;
  summary.made -= found;
  report(summary, batch, start);
  return code;
}

int run_batch_command(const CLI::App& command, BatchOptions options) {
  if (options.reads_stdin()) check_stdin_options(options);
  if (options.check) return run_check(options);
  const std::vector<std::string> devices = parse_devices(options.devices);
  if (!devices.empty()) options.making.settings.flags["device"] = devices.front();
  const std::string launched = devices.empty() ? launched_gpu() : "";
  if (!launched.empty()) options.making.settings.flags.try_emplace("device", launched);
  PlannedBatch batch = plan_batch(options);
  describe_batch(options, batch);
  check_folder_settings(batch.run.folder, batch.resolved);
  if (!devices.empty() && !options.making.dry_run) {
    begin_folder(batch);
    const auto words = given_words(command, {"--devices", "--device", "--shard", "--progress", "--json"});
    return run_workers_on(devices, words, choose_shard(options.shard), batch);
  }
  Model model(batch.setup, Residency::everything);
  Pipeline pipeline(model);
  PipelineRunner runner(pipeline, batch.resolved);
  if (const BatchItem* const plain = plain_item(options, batch.run.items)) runner.check(*plain);
  if (options.making.dry_run) return run_dry(options, batch, runner);
  warn_of_problems(batch.run.items);
  begin_folder(batch);
  if (options.reads_stdin()) return make_entries_of_stdin(options, batch, runner);
  estimate_time(batch.run, runner);
  const auto start = std::chrono::steady_clock::now();
  const BatchSummary summary = make_videos(batch, runner);
  report(summary, batch, start);
  return exit_code_of(summary);
}

}  // namespace

Command add_batch(CLI::App& app) {
  CLI::App* command = app.add_subcommand("batch", "many videos from a list of prompts; - reads entries from stdin");
  const auto options = std::make_shared<BatchOptions>();
  command->add_option("FILE", options->list, "")->required();
  add_command_option(*command, "vbench", options->vbench, "", "VBench file names and sample counts");
  add_command_option(*command, "check", options->check, "", "only list missing and damaged videos");
  add_command_option(*command, "samples", options->samples, "N", "videos per prompt (1; VBench: 5)")
      ->check(from_to(1, 10000));
  const auto add_more = [&](std::string_view name, auto& value, const char* argument, const char* help) {
    return add_command_option(*command, name, value, argument, help, kMoreGroup);
  };
  add_more("devices", options->devices, "LIST", "one process per GPU: 0,1");
  add_more("shard", options->shard, "I/N|array", "make only part I of N, or a Slurm array's");
  add_more("retries", options->retries, "N", "retries per failed video (1)")->check(from_to(0, 1000));
  add_more("refined", options->refined, "FILE", "refined prompts, one line per entry");
  add_more("images", options->images, "DIR", "images of a VBench-I2V list");
  add_more("keep_codes", options->keep_codes, "", "keep the codes of finished videos");
  add_making_options(*command, FlagScope::batch, options->making);
  command->get_option("--output")->description("output folder (runs/<name of FILE>)")->type_name("DIR");
  return {command, [command, options] { return run_batch_command(*command, *options); }};
}

}  // namespace faststar
