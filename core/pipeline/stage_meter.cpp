#include "core/pipeline/stage_meter.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/device.h"
#include "core/base/log.h"

namespace faststar {

StageMeter::StageMeter(Stage stage, at::Device device) : stage_(stage), device_(device), start_(Clock::now()) {
  reset_peak_device_bytes(device);
}

void StageMeter::finish(RunRecord& record) const {
  synchronize(device_);
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  record.seconds[std::string(stage_name(stage_))] += elapsed;
  const int64_t peak = peak_device_bytes(device_);
  record.peak_bytes = std::max(record.peak_bytes, peak);
  const std::string memory = peak > 0 ? fmt::format(", peak {:.1f} GB", static_cast<double>(peak) * 1e-9) : "";
  log::info("{}: {:.2f} s{}", stage_name(stage_), elapsed, memory);
}

}  // namespace faststar
