#pragma once
#include <c10/core/Device.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/lab/bench/op_clock.h"

namespace faststar {

/// What a GPU did between two moments; nothing is known when `samples` is 0.
struct GpuUse {
  int samples = 0;
  double watts = 0;  ///< mean
  double max_watts = 0;
  double joules = 0;  ///< mean power times seconds
  double sm_mhz = 0;  ///< mean clock of the multiprocessors
  double min_sm_mhz = 0;
  double memory_mhz = 0;  ///< mean
  double celsius = 0;     ///< highest
  double limited = 0;     ///< share of the samples in which power or heat held the clock down
};

/// null of no samples.
nlohmann::ordered_json to_json(const GpuUse& use);

/// Reads clocks and power of a GPU every 100 ms on a thread of its own, from NVIDIA's management library
/// (libnvidia-ml.so.1, opened at run time).
class GpuMonitor {
 public:
  explicit GpuMonitor(at::Device device);
  ~GpuMonitor();
  GpuMonitor(const GpuMonitor&) = delete;
  GpuMonitor& operator=(const GpuMonitor&) = delete;

  /// Why nothing is read; empty when it is.
  const std::string& absent() const { return absent_; }
  /// "580.159.04"; empty when unknown.
  const std::string& driver() const { return driver_; }
  /// Processes that compute on the GPU besides this one, as far as the driver shows them.
  int other_processes() const;
  GpuUse between(BenchClock::time_point from, BenchClock::time_point to) const;

 private:
  struct Reader;

  std::string absent_;
  std::string driver_;
  std::unique_ptr<Reader> reader_;  ///< null when absent
};

}  // namespace faststar
