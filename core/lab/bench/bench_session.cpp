#include "core/lab/bench/bench_session.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <unistd.h>

#include <sstream>

#include "core/base/error.h"
#include "core/base/log.h"
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

std::vector<std::string> names_of(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream rest(list);
  for (std::string name; std::getline(rest, name, ',');) names.push_back(name);
  return names;
}

/// The folder for the files of this process.
std::filesystem::path make_bench_folder() {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("faststar-bench-{}", getpid());
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (error) fail(ErrorKind::output, fmt::format("{}: {}", folder.string(), error.message()), "set TMPDIR");
  return folder;
}

/// The setup as it is; says which model it is.
const ModelSetup& announced(const ModelSetup& setup, const Config& config) {
  log::set_quiet(config.runtime.quiet);
  log::info("model: {}", describe_model(setup.model));
  return setup;
}

ModelSetup with_group(ModelSetup setup, const std::shared_ptr<ProcessGroup>& group) {
  setup.group = group;
  setup.processes = group->size();
  return setup;
}

BenchContext context_of(const BenchSession& session) {
  return bench_context(session.model.device(), session.model.dtype(), session.monitor);
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

}  // namespace

BenchSession::BenchSession(const SettingsRequest& settings, const std::string& against,
                           const std::shared_ptr<ProcessGroup>& group)
    : folder(make_bench_folder()),
      candidates(bench_candidates(settings, names_of(against), folder.path())),
      config(candidates.front().resolved.settings.config),
      model(announced(with_group(shared_setup(candidates), group), config), Residency::everything),
      variants(plan_variants(model, std::move(candidates))),
      monitor(model.device()) {}

BenchReport bench_videos(BenchSession& session, const BenchCounts& counts, Progress& progress) {
  const BenchContext context = context_of(session);
  const auto results = run_variants(session.model, session.variants, counts, session.monitor, progress);
  if (!session.model.setup().group->is_first()) return {};
  keep_rates(session.model.rates_file(), session.model, session.variants, results);
  return report_runs(session.variants, results, context);
}

BenchReport bench_operations(const BenchSession& session) {
  const c10::InferenceMode inference;
  const BackendScope backends(session.variants.front().kernels);
  const BenchContext context = context_of(session);
  const OpClock clock(session.model.device());
  const OpsSubject subject{session.plan(), session.variants.front().kernels, context.ceilings, clock};
  BenchReport report = begin_report(context);
  report.tables = {bench_kernels(subject), bench_linears(subject)};
  if (!fp8_obstacle(session.model.device())) {
    report.tables.push_back(bench_linears(subject, LinearPrecision::fp8));
  }
  report.tables.push_back(bench_attention(subject));
  report.tables.push_back(bench_errors(subject));
  return report;
}

BenchReport bench_files(BenchSession& session, const BenchCounts& counts) {
  BenchReport report = begin_report(context_of(session));
  report.tables = {bench_media(session.model, session.variants.front(), counts)};
  keep_encoder_rate(session.model.rates_file(), session.model, session.variants.front(), report.tables.front());
  return report;
}

std::pair<BenchReport, RuntimeConfig> bench_loading(SettingsRequest settings, const std::string& write, int runs) {
  const TemporaryPath folder(make_bench_folder());
  const double before = seconds_since_process_start();
  if (!write.empty()) settings = with_written_model(settings, write, folder.path());
  const double writing = seconds_since_process_start() - before;
  const BenchCandidate candidate = bench_candidates(settings, {}, folder.path()).front();
  const Config& config = candidate.resolved.settings.config;
  const ModelSetup setup = announced(candidate.request.setup, config);
  const at::Device device = pick_device(setup.device);
  at::zeros({1}, at::TensorOptions(device));  // what the first use of a device costs comes before loading
  const double started = seconds_since_process_start() - writing;
  const GpuMonitor monitor(device);
  BenchReport report = begin_report(bench_context(device, at::kFloat, monitor));
  report.tables = bench_start(candidate.request, started, runs);
  return {std::move(report), config.runtime};
}

}  // namespace faststar
