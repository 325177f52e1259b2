#pragma once
#include <cstdint>

#include "core/base/tensor.h"
#include "cuda/philox.h"

namespace faststar {

/// The seed of one of the processes that train together; the first one's is that of the run.
constexpr uint64_t worker_seed(uint64_t seed, int rank) {
  return seed + static_cast<uint64_t>(rank) * 0x9E3779B97F4A7C15u;
}

/// What a training run draws numbers for; streams of different purpose never overlap.
enum class Draw : uint32_t { clips, crops, corruption, repetitions, lengths };

/// Random numbers of one step of a training run: what they are depends on the seed (of run and process), the purpose,
/// the step, and how many were taken before. So a resumed run draws what an uninterrupted one would have.
class TrainingRandom {
 public:
  TrainingRandom(uint64_t seed, Draw purpose, int64_t step)
      : seed_(seed), purpose_(static_cast<uint32_t>(purpose)), step_(static_cast<uint64_t>(step)) {}

  /// The next number, uniform in [0, 1).
  float uniform() {
    if (taken_ % 4 == 0) {
      block_ = philox4x32({{taken_ / 4, purpose_, static_cast<uint32_t>(step_), static_cast<uint32_t>(step_ >> 32)}},
                          static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32));
    }
    return uniform_from_bits(block_.word[taken_++ % 4]);
  }

  /// The next number, one of 0 .. count - 1 with equal probability; count < 2^24.
  int64_t below(int64_t count) { return static_cast<int64_t>(uniform() * static_cast<float>(count)); }

  /// The next numbers as a float32 tensor on the CPU.
  Tensor uniform_tensor(at::IntArrayRef shape);

 private:
  uint64_t seed_;
  uint32_t purpose_;
  uint64_t step_;
  uint32_t taken_ = 0;
  PhiloxBlock block_{};
};

}  // namespace faststar
