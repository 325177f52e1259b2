#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/star/generator.h"

namespace faststar {

/// What reduction saw, decided and did in a run, step by step, so that anyone can recompute it. Held on the CPU until
/// it is written.
class ReductionTrace {
 public:
  /// The first step's time counts from here.
  ReductionTrace() : last_(Clock::now()) {}

  /// Hears of every reduced step: its maps, scores, masks and codes become tensors `step.NNN.*`.
  void add_reduced(const ReducedStep& reduced);
  /// Hears of every step after the device has finished it; takes the time since the one before.
  void add_step(const Step& step, const Scale& scale, int64_t kept);
  /// Writes a safetensors file whose metadata key `faststar` holds a JSON object: settings, seed, and all steps with
  /// clip, scale, repetition, grid, tokens, kept, milliseconds. Throws Error(output).
  void write(const std::filesystem::path& file, const std::string& settings_json, int64_t seed,
             Existing existing) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct StepRecord {
    Step step;
    Scale scale;
    int64_t kept = 0;
    double milliseconds = 0;
  };

  std::map<std::string, Tensor> tensors_;
  std::map<int, int64_t> kept_;  ///< by step index, where a method kept other counts than the gate says
  std::vector<StepRecord> steps_;
  Clock::time_point last_;
};

}  // namespace faststar
