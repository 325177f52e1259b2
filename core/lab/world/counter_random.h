#pragma once
#include <cstdint>
#include <span>

#include "cuda/philox.h"

namespace faststar {

/// A stream of random numbers that depends on nothing but its key: Philox with counter {block, purpose, index}.
class CounterRandom {
 public:
  enum class Purpose : uint32_t { scene, caption, camera };

  CounterRandom(uint64_t seed, int64_t index, Purpose purpose)
      : seed_(seed), index_(static_cast<uint64_t>(index)), purpose_(purpose) {}

  /// In [0, 1).
  double uniform() { return uniform_from_bits(next()); }
  /// In [low, high); the middle when there is nothing between.
  double uniform(double low, double high) {
    const double draw = uniform();
    return high > low ? low + draw * (high - low) : (low + high) / 2;
  }
  /// In [0, count).
  int below(int count) { return static_cast<int>(uniform() * count); }
  bool chance(double probability) { return uniform() < probability; }
  /// One of `options`, all equally likely.
  template <typename Options>
  const auto& pick(const Options& options) {
    return options[static_cast<size_t>(below(static_cast<int>(options.size())))];
  }
  /// An index of `weights` with probability in proportion to its entry.
  int weighted(std::span<const double> weights);

 private:
  uint32_t next();

  uint64_t seed_;
  uint64_t index_;
  Purpose purpose_;
  uint32_t drawn_ = 0;
  PhiloxBlock block_{};
};

}  // namespace faststar
