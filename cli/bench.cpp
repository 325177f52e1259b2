#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <algorithm>
#include <sstream>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/lab/bench/bench_variants.h"
#include "core/lab/bench/error_bench.h"
#include "core/lab/bench/kernel_bench.h"
#include "core/lab/bench/media_bench.h"
#include "core/lab/bench/random_checkpoint.h"
#include "core/lab/bench/rate_fit.h"
#include "core/lab/bench/run_report.h"
#include "core/lab/bench/shape_bench.h"
#include "core/lab/bench/start_bench.h"

namespace faststar {
namespace {

struct BenchCommand {
  SettingsRequest settings;
  std::string against;
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

std::vector<std::string> names_of(const std::string& list) {
  return list.empty() ? std::vector<std::string>() : CLI::detail::split(list, ',');
}

/// Of the folder for the files of this process.
std::filesystem::path folder_path() {
  return std::filesystem::temp_directory_path() / fmt::format("faststar-bench-{}", getpid());
}

std::filesystem::path make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (error) fail(ErrorKind::output, fmt::format("{}: {}", folder.string(), error.message()), "set TMPDIR");
  return folder;
}

/// On stdout; as JSON, and the tables on stderr, with --json.
void print_report(const BenchReport& report, const Config& config) {
  if (!config.runtime.json) return print_result(report_text(report));
  std::istringstream lines(report_text(report));
  for (std::string line; std::getline(lines, line);) log::info("{}", line);
  print_result(report_json(report));
}

/// The setup as it is; says which model it is.
const ModelSetup& announced(const ModelSetup& setup, const Config& config) {
  log::set_quiet(config.runtime.quiet);
  log::info("model: {}", describe_model(setup.model));
  return setup;
}

/// The configurations of a command line, on the model of the first.
struct BenchSession {
  explicit BenchSession(const BenchCommand& command)
      : BenchSession(folder_path(), settings_of(command), names_of(command.against)) {}

  const Plan& plan() const { return variants.front().plan; }

  TemporaryPath folder;
  std::vector<BenchCandidate> candidates;
  Config config;
  Model model;
  std::vector<BenchVariant> variants;
  GpuMonitor monitor;

 private:
  BenchSession(const std::filesystem::path& path, const SettingsRequest& settings,
               const std::vector<std::string>& against)
      : folder(make_folder(path)),
        candidates(bench_candidates(settings, against, path)),
        config(candidates.front().resolved.settings.config),
        model(announced(shared_setup(candidates), config), Residency::everything),
        variants(plan_variants(model, std::move(candidates))),
        monitor(model.device()) {}
};

int bench_runs(const BenchCommand& command) {
  const BenchCounts counts = counts_of(command);
  BenchSession session(command);
  const BenchContext context = bench_context(session.model.device(), session.model.dtype(), session.monitor);
  stop_in_two_stages();
  std::vector<VariantRuns> results;
  {
    ProgressDisplay progress(session.config.runtime);
    results = run_variants(session.model, session.variants, counts, session.monitor, progress);
  }
  print_report(report_runs(session.variants, results, context), session.config);
  keep_rates(session.model.rates_file(), session.model, session.variants, results);
  return 0;
}

int bench_ops(const BenchCommand& command) {
  const BenchSession session(command);
  const c10::InferenceMode inference;
  const BackendScope backends(session.variants.front().kernels);
  const BenchContext context = bench_context(session.model.device(), session.model.dtype(), session.monitor);
  const OpClock clock(session.model.device());
  const OpsSubject subject{session.plan(), session.variants.front().kernels, context.ceilings, clock};
  BenchReport report = begin_report(context);
  report.tables = {bench_kernels(subject), bench_linears(subject)};
  if (!fp8_obstacle(session.model.device())) {
    report.tables.push_back(bench_linears(subject, LinearPrecision::fp8));
  }
  report.tables.push_back(bench_attention(subject));
  report.tables.push_back(bench_errors(subject));
  print_report(report, session.config);
  return 0;
}

/// The model that --write names: written with random weights, then used as any other.
SettingsRequest with_written_model(SettingsRequest settings, const std::string& written,
                                   const std::filesystem::path& folder) {
  const BenchCandidate candidate = bench_candidates(settings, {}, folder).front();
  const ModelSetup& setup = candidate.request.setup;
  if (!setup.model.random_weights) {
    fail(ErrorKind::usage, fmt::format("--write {}: writes a model of random weights", written), "--random-weights");
  }
  log::info("writing {}: {}", written, setup.model.preset.name);
  write_random_checkpoint(setup.model, written, pick_device(setup.device));
  settings.flags["model"] = written;
  settings.flags["random_weights"] = "false";
  return settings;
}

int bench_loading(const BenchCommand& command) {
  const BenchCounts counts = counts_of(command);
  const TemporaryPath folder(make_folder(folder_path()));
  SettingsRequest settings = settings_of(command);
  const double before = seconds_since_process_start();
  if (!command.write.empty()) settings = with_written_model(settings, command.write, folder.path());
  const double writing = seconds_since_process_start() - before;
  const BenchCandidate candidate = bench_candidates(settings, {}, folder.path()).front();
  const Config& config = candidate.resolved.settings.config;
  const ModelSetup setup = announced(candidate.request.setup, config);
  const at::Device device = pick_device(setup.device);
  at::zeros({1}, at::TensorOptions(device));  // what the first use of a device costs comes before loading
  const double started = seconds_since_process_start() - writing;
  const GpuMonitor monitor(device);
  BenchReport report = begin_report(bench_context(device, at::kFloat, monitor));
  report.tables = bench_start(candidate.request, started, counts.runs);
  print_report(report, config);
  return 0;
}

int bench_files(const BenchCommand& command) {
  const BenchCounts counts = counts_of(command);
  BenchSession session(command);
  const BenchContext context = bench_context(session.model.device(), session.model.dtype(), session.monitor);
  BenchReport report = begin_report(context);
  report.tables = {bench_media(session.model, session.variants.front(), counts)};
  print_report(report, session.config);
  keep_encoder_rate(session.model.rates_file(), session.model, session.variants.front(), report.tables.front());
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
  command.footer("\n--help-all shows more options.");
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
  add_counts(*command, *options, "videos of each config (5)");
  add_settings(*command,
               {"prompt", "seed", "guidance", "guidance_reuse", "guidance_reuse_scales", "guidance_reuse_weight",
                "reduce", "ratios", "attention", "attention_precision", "crf", "preset", "progress"},
               options->settings);

  const std::vector<BenchPart> parts = {
      add_part(*command, "ops", "kernels, matrix products and attention, shape by shape", bench_ops),
      add_part(*command, "start", "loading, from the disk and from the page cache", bench_loading),
      add_part(*command, "media", "decode, encoding and file", bench_files)};
  add_settings(*parts[0].app, {"guidance", "guidance_reuse", "guidance_reuse_scales", "reduce", "ratios"},
               parts[0].options->settings);
  add_command_option(*parts[1].app, "runs", parts[1].options->runs, "N", "times from the page cache (5)");
  add_command_option(*parts[1].app, "write", parts[1].options->write, "DIR", "first write a model of random weights");
  add_settings(*parts[1].app, {}, parts[1].options->settings);
  add_counts(*parts[2].app, *parts[2].options, "of each measurement (5)");
  add_settings(*parts[2].app, {"crf", "preset"}, parts[2].options->settings);
  return {command, [options, parts] {
            const auto part = std::ranges::find_if(parts, [](const BenchPart& one) { return one.app->parsed(); });
            return part == parts.end() ? bench_runs(*options) : part->run(*part->options);
          }};
}

}  // namespace faststar
