#include "core/lab/world/counter_random.h"

#include <numeric>

namespace faststar {

uint32_t CounterRandom::next() {
  if (drawn_ % 4 == 0) {
    block_ = philox4x32({{drawn_ / 4, static_cast<uint32_t>(purpose_), static_cast<uint32_t>(index_),
                          static_cast<uint32_t>(index_ >> 32)}},
                        static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32));
  }
  return block_.word[drawn_++ % 4];
}

int CounterRandom::weighted(std::span<const double> weights) {
  double rest = uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    rest -= weights[i];
    if (rest < 0) return static_cast<int>(i);
  }
  return static_cast<int>(weights.size()) - 1;
}

}  // namespace faststar
