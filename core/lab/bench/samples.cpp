#include "core/lab/bench/samples.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace faststar {

double Samples::median() const {
  if (values.empty()) return 0;
  std::vector<double> sorted = values;
  std::ranges::sort(sorted);
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Samples::min() const { return values.empty() ? 0 : std::ranges::min(values); }

double Samples::max() const { return values.empty() ? 0 : std::ranges::max(values); }

double Samples::spread() const { return median() > 0 ? (max() - min()) / 2 / median() : 0; }

nlohmann::ordered_json to_json(const Samples& samples) {
  return {{"median", samples.median()}, {"min", samples.min()}, {"max", samples.max()}, {"values", samples.values}};
}

}  // namespace faststar
