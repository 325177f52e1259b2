#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace faststar {

/// Repeated measurements of one quantity, in the order they were made.
struct Samples {
  std::vector<double> values;

  /// 0 of no values.
  double median() const;
  double min() const;
  double max() const;
  /// Half of max - min, as a share of the median; 0 of fewer than two values.
  double spread() const;
};

/// {"median","min","max","values"}
nlohmann::ordered_json to_json(const Samples& samples);

}  // namespace faststar
