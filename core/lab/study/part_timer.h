#pragma once
#include <ATen/record_function.h>
#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <array>
#include <chrono>
#include <vector>

#include "core/base/profile.h"

namespace faststar {

/// Milliseconds by part.
struct PartTimes {
  std::array<double, kPassPartNames.size()> ms{};

  double& operator[](PassPart part) { return ms[static_cast<size_t>(part)]; }
  double operator[](PassPart part) const { return ms[static_cast<size_t>(part)]; }
  PartTimes& operator+=(const PartTimes& other);
  double total() const;
};

/// Measures what the passes of this thread spend their time on, from construction to destruction: it records the
/// ProfileRanges entered meanwhile. Time belongs to the innermost range, outside of all to `rest`. Marks go into the
/// queue of the device (CUDA events; on the CPU moments of the host's clock), so that the parts add up to the whole.
/// One timer a thread at a time, and one stream.
class PartTimer {
 public:
  explicit PartTimer(at::Device device);
  ~PartTimer();
  PartTimer(const PartTimer&) = delete;
  PartTimer& operator=(const PartTimer&) = delete;

  /// Milliseconds of each part since the last lap or since the timer was made. Waits for the device.
  PartTimes lap();

 private:
  using Clock = std::chrono::steady_clock;
  static std::unique_ptr<at::ObserverContext> on_enter(const at::RecordFunction& range);
  static void on_leave(const at::RecordFunction& range, at::ObserverContext* context);
  /// From now on time is that of `part`. Returns the part of before.
  PassPart turn_to(PassPart part);
  void mark(PassPart part);
  double until_next(size_t mark) const;

  at::Device device_;
  at::CallbackHandle handle_;
  std::vector<PassPart> begun_;             ///< by mark since the last lap
  std::vector<Clock::time_point> moments_;  ///< by mark, on the CPU
  std::vector<c10::Event> events_;          ///< by mark, on a GPU; used again after a lap
};

}  // namespace faststar
