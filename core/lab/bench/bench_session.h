#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/process_group.h"
#include "core/lab/bench/bench_report.h"
#include "core/lab/bench/bench_variants.h"

namespace faststar {

/// The configurations of a command line, on the model of the first; its files go with it.
struct BenchSession {
  /// `against`: names of other configurations, with commas between them; `group`: the processes that make the videos
  /// together. Logs which model it is. Throws as bench_candidates and plan_variants.
  BenchSession(const SettingsRequest& settings, const std::string& against,
               const std::shared_ptr<ProcessGroup>& group = std::make_shared<ProcessGroup>());

  const Plan& plan() const { return variants.front().plan; }

  TemporaryPath folder;
  std::vector<BenchCandidate> candidates;
  Config config;  ///< of the first
  Model model;
  std::vector<BenchVariant> variants;
  GpuMonitor monitor;
};

/// Whole videos of every configuration, stage by stage. Keeps the rates for later time estimates. In a process that is
/// not the first of its group the report is empty: it has measured nothing.
BenchReport bench_videos(BenchSession& session, const BenchCounts& counts, Progress& progress);

/// Kernels, matrix products, attention and rounding errors at the shapes of the first configuration.
BenchReport bench_operations(const BenchSession& session);

/// Decode, encoding and file of the first configuration. Keeps the encoder's rate.
BenchReport bench_files(BenchSession& session, const BenchCounts& counts);

/// Loading the model of `settings`, see bench_start; before, it is written to the folder `write` with random weights,
/// unless that is empty. Also returns how the settings want results shown. Throws Error(usage) for a `write` without
/// random weights.
std::pair<BenchReport, RuntimeConfig> bench_loading(SettingsRequest settings, const std::string& write, int runs);

}  // namespace faststar
