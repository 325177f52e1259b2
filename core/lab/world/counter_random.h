#pragma once
#include <concepts>
#include <cstdint>
#include <numeric>
#include <span>

#include "cuda/philox.h"

namespace faststar {

/// A stream of random numbers that depends on nothing but its key: Philox with counter {block, purpose, index}. What
/// was drawn before, and for what else, does not matter, so a resumed run draws what an uninterrupted one would have.
class CounterRandom {
 public:
  /// `purpose`: an enumerator; streams of different purpose never overlap.
  template <typename Purpose>
  CounterRandom(uint64_t seed, Purpose purpose, int64_t index)
      : seed_(seed), purpose_(static_cast<uint32_t>(purpose)), index_(static_cast<uint64_t>(index)) {}

  /// In [0, 1).
  double uniform() {
    if (drawn_ % 4 == 0) {
      block_ = philox4x32({{drawn_ / 4, purpose_, static_cast<uint32_t>(index_), static_cast<uint32_t>(index_ >> 32)}},
                          static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32));
    }
    return uniform_from_bits(block_.word[drawn_++ % 4]);
  }
  /// In [low, high); the middle when there is nothing between.
  double uniform(double low, double high) {
    const double draw = uniform();
    return high > low ? low + draw * (high - low) : (low + high) / 2;
  }
  /// In [0, count); count < 2^24.
  template <std::integral Count>
  Count below(Count count) {
    return static_cast<Count>(uniform() * static_cast<double>(count));
  }
  bool chance(double probability) { return uniform() < probability; }
  /// One of `options`, all equally likely.
  template <typename Options>
  const auto& pick(const Options& options) {
    return options[static_cast<size_t>(below(static_cast<int>(options.size())))];
  }
  /// An index of `weights` with probability in proportion to its entry.
  int weighted(std::span<const double> weights) {
    double rest = uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
    for (size_t i = 0; i + 1 < weights.size(); ++i) {
      rest -= weights[i];
      if (rest < 0) return static_cast<int>(i);
    }
    return static_cast<int>(weights.size()) - 1;
  }

 private:
  uint64_t seed_;
  uint32_t purpose_;
  uint64_t index_;
  uint32_t drawn_ = 0;
  PhiloxBlock block_{};
};

}  // namespace faststar
