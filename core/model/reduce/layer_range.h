#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace faststar {

/// Layers [begin, end) of the backbone.
struct LayerRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool contains(int64_t layer) const { return layer >= begin && layer < end; }
};

/// The layers a user chose, or the same share of `depth` that [first, last) has of the 36 layers of InfinityStar 8B;
/// at least one layer.
inline LayerRange layer_range(const std::vector<int>& chosen, int64_t first, int64_t last, int64_t depth) {
  constexpr int64_t kFullDepth = 36;
  if (!chosen.empty()) return {chosen[0], chosen[1]};
  const int64_t begin = first * depth / kFullDepth;
  return {begin, std::max(begin + 1, last * depth / kFullDepth)};
}

}  // namespace faststar
