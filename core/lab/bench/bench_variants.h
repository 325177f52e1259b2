#pragma once
#include <string>
#include <vector>

#include "core/config/resolve.h"
#include "core/lab/bench/run_bench.h"

namespace faststar {

/// A configuration, resolved and checked, before its model is opened.
struct BenchCandidate {
  std::string name;
  ResolvedSettings resolved;
  Request request;
};

/// The configuration of `settings` under the name that --config gave it, or the model's; then each of `against` with
/// the same flags. Prompt and seed have fixed values unless they are set; files go to `folder`. The weights of the
/// others are not looked for: all run on the model of the first. Throws Error of the kind that the exit code names.
std::vector<BenchCandidate> bench_candidates(const SettingsRequest& settings, const std::vector<std::string>& against,
                                             const std::filesystem::path& folder);

/// The setup of the first, with the weights that any of them needs.
ModelSetup shared_setup(const std::vector<BenchCandidate>& candidates);

/// Their plans on the model of the first. Where several processes share the model, each twice: made by the first
/// process alone, then by all. Throws Error(usage) for one with other network sizes or another dtype.
std::vector<BenchVariant> plan_variants(Model& model, std::vector<BenchCandidate> candidates);

}  // namespace faststar
