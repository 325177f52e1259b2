#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fuzz/target.h"

namespace faststar::fuzz {

/// What is run on a target.
struct Campaign {
  int64_t inputs = 20'000;
  double seconds = 1e9;  ///< at most
  uint64_t seed = 1;
  std::filesystem::path faults = ".";  ///< folder for the inputs that end badly
};

struct Outcome {
  int64_t inputs = 0;
  int64_t accepted = 0;
  int64_t faults = 0;
  double seconds = 0;
};

/// Hands mutate(samples, seed, 0), mutate(samples, seed, 1), ... to the target, in a process of its own that is started
/// again after a fault: a crash, another exception than refusal() allows, more than ten seconds, more memory than the
/// target may take, or a leak. Faults are described on stderr and their inputs kept.
Outcome run(const Target& target, std::span<const std::string> samples, const Campaign& campaign);

}  // namespace faststar::fuzz
