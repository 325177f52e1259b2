#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/lab/bench/bench_session.h"

namespace faststar {
namespace {

struct BenchCommand {
  SettingsRequest settings;
  std::string against;
  std::string devices;
  std::string write;  ///< folder for a model of random weights; empty: none
  int64_t runs = 5;
  int64_t warmup = 1;
};

/// A command below `bench`.
struct BenchPart {
  CLI::App* app;
  std::shared_ptr<BenchCommand> options;
  int (*run)(const BenchCommand& command);
};

constexpr int64_t kMaxRuns = 1000;

int checked_count(const char* flag, int64_t count, int64_t least) {
  if (count >= least && count <= kMaxRuns) return static_cast<int>(count);
  fail(ErrorKind::usage, fmt::format("{} {}: expected {} to {}", flag, count, least, kMaxRuns));
}

BenchCounts counts_of(const BenchCommand& command) {
  return {.runs = checked_count("--runs", command.runs, 1), .warm_up = checked_count("--warmup", command.warmup, 0)};
}

/// What was asked for, by flags and FASTSTAR_CONFIG.
SettingsRequest settings_of(const BenchCommand& command) {
  SettingsRequest settings = command.settings;
  if (settings.config.empty()) settings.config = environment_text("config").value_or("");
  return settings;
}

/// On stdout; as JSON, and the tables on stderr, with --json.
void print_report(const BenchReport& report, const RuntimeConfig& runtime) {
  if (!runtime.json) return print_result(report_text(report));
  std::istringstream lines(report_text(report));
  for (std::string line; std::getline(lines, line);) log::info("{}", line);
  print_result(report_json(report));
}

int run_videos(const CLI::App& app, BenchCommand command) {
  const BenchCounts counts = counts_of(command);
  const std::vector<std::string> devices = choose_devices(command.devices, command.settings.flags);
  const Config config = resolve_settings(settings_of(command)).settings.config;
  if (!devices.empty()) return make_together(app, devices, config);
  const auto group = join_group(config.runtime.device.value_or(""));
  BenchSession session(settings_of(command), command.against, group);
  stop_in_two_stages();
  BenchReport report;
  {
    ProgressDisplay progress(group->is_first() ? shown_style(config.runtime) : ProgressStyle::none);
    report = bench_videos(session, counts, progress);
  }
  if (group->is_first()) print_report(report, config.runtime);
  group->leave();
  return 0;
}

int run_operations(const BenchCommand& command) {
  const BenchSession session(settings_of(command), command.against);
  print_report(bench_operations(session), session.config.runtime);
  return 0;
}

int run_loading(const BenchCommand& command) {
  const auto [report, runtime] = bench_loading(settings_of(command), command.write, counts_of(command).runs);
  print_report(report, runtime);
  return 0;
}

int run_files(const BenchCommand& command) {
  const BenchCounts counts = counts_of(command);
  BenchSession session(settings_of(command), command.against);
  print_report(bench_files(session, counts), session.config.runtime);
  return 0;
}

void add_settings(CLI::App& command, const std::vector<std::string_view>& more, SettingsRequest& settings) {
  std::vector<std::string_view> wanted = {"model",  "random_weights", "duration",   "resolution",       "aspect",
                                          "device", "precision",      "fp8_scales", "last_repetitions", "kernels",
                                          "vram",   "json",           "quiet"};
  wanted.insert(wanted.end(), more.begin(), more.end());
  add_setting_options(command, wanted, settings);
  for (const char* screen : {"--random-weights", "--json"}) command.get_option(screen)->group(kScreenGroup);
  command.get_option("--aspect")->group(kMoreGroup);  // the page has 25 lines
}

void add_counts(CLI::App& command, BenchCommand& options, const char* runs) {
  add_command_option(command, "runs", options.runs, "N", runs);
  add_command_option(command, "warmup", options.warmup, "N", "more before them, not counted (1)");
}

/// One of the commands below `bench`, with options of its own.
BenchPart add_part(CLI::App& bench, const char* name, const char* description,
                   int (*run)(const BenchCommand& command)) {
  CLI::App* app = bench.add_subcommand(name, description);
  app->fallthrough(false);  // options of `bench` are not theirs
  return {app, std::make_shared<BenchCommand>(), run};
}

}  // namespace

Command add_bench(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "time whole videos, stage by stage");
  command->require_subcommand(0, 1);
  const auto options = std::make_shared<BenchCommand>();
  add_command_option(*command, "against", options->against, "NAME,NAME", "other configs to compare with");
  add_command_option(*command, "devices", options->devices, "LIST", "GPUs that share one video: 0,1", kMoreGroup);
  add_counts(*command, *options, "videos of each config (5)");
  add_settings(*command,
               {"prompt", "seed", "guidance", "guidance_reuse", "guidance_reuse_scales", "guidance_reuse_weight",
                "reduce", "ratios", "attention", "attention_precision", "crf", "preset", "progress"},
               options->settings);

  const std::vector<BenchPart> parts = {
      add_part(*command, "ops", "kernels, matrix products and attention, shape by shape", run_operations),
      add_part(*command, "start", "load times, from disk and from the page cache", run_loading),
      add_part(*command, "media", "decode, encoding and file", run_files)};
  add_settings(*parts[0].app, {"guidance", "guidance_reuse", "guidance_reuse_scales", "reduce", "ratios"},
               parts[0].options->settings);
  add_command_option(*parts[1].app, "runs", parts[1].options->runs, "N", "times from the page cache (5)");
  add_command_option(*parts[1].app, "write", parts[1].options->write, "DIR", "first write a model of random weights");
  add_settings(*parts[1].app, {}, parts[1].options->settings);
  add_counts(*parts[2].app, *parts[2].options, "of each measurement (5)");
  add_settings(*parts[2].app, {"crf", "preset"}, parts[2].options->settings);
  return {command, [command, options, parts] {
            const auto part = std::ranges::find_if(parts, [](const BenchPart& one) { return one.app->parsed(); });
            return part == parts.end() ? run_videos(*command, *options) : part->run(*part->options);
          }};
}

}  // namespace faststar
