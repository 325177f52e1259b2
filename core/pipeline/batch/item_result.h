#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace faststar {

/// What making one item took.
struct ItemResult {
  std::map<std::string, double> seconds;  ///< by stage name
  int64_t peak_bytes = 0;                 ///< most device memory; 0 on the CPU
  std::string device;                     ///< "cuda:0"
  std::string prompt;                     ///< what the model got, tag and suffix included
  bool text_cut = false;                  ///< the text was over the model's limit
};

}  // namespace faststar
