#pragma once
#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

namespace faststar {

/// What the time of a pass goes into.
enum class PassPart {
  linear,     ///< matrix products of embedding, layers and heads
  attention,  ///< softmax(q k^T) v, keys and values of the context joined
  reduction,  ///< score, selection, gathering of tokens, partial update or other restoring
  sampling,   ///< guidance, random numbers, bits
  rest,       ///< norms, rotation, activations, resizing of accumulated features, waiting
};
inline constexpr std::array<std::string_view, 5> kPassPartNames = {"linear", "attention", "reduction", "sampling",
                                                                   "rest"};

/// Milliseconds by part.
struct PartTimes {
  std::array<double, kPassPartNames.size()> ms{};

  double& operator[](PassPart part) { return ms[static_cast<size_t>(part)]; }
  double operator[](PassPart part) const { return ms[static_cast<size_t>(part)]; }
  PartTimes& operator+=(const PartTimes& other);
  double total() const;
};

/// Tells what the passes of one run spend their time on. Marks go into the queue of the device (CUDA events; on the CPU
/// moments of the host's clock); what lies between two of them is the time of one part, so that the parts add up to
/// the whole. All marks come from one thread and one stream.
class PartTimer {
 public:
  explicit PartTimer(at::Device device);

  /// Milliseconds of each part since the last lap or since the timer was made. Waits for the device.
  PartTimes lap();

  /// From now on time is that of `part`. Returns the part of before.
  PassPart turn_to(PassPart part);

 private:
  using Clock = std::chrono::steady_clock;
  void mark(PassPart part);
  double until_next(size_t mark) const;

  at::Device device_;
  std::vector<PassPart> begun_;             ///< by mark since the last lap
  std::vector<Clock::time_point> moments_;  ///< by mark, on the CPU
  std::vector<c10::Event> events_;          ///< by mark, on a GPU; used again after a lap
};

/// work(); its time is that of `part`, but for what parts within it take. Without a timer nothing but the work is done.
/// A timer that an exception went through is of no more use.
template <typename Work>
auto timed(PartTimer* timer, PassPart part, Work&& work) {
  if (timer == nullptr) return std::forward<Work>(work)();
  const PassPart before = timer->turn_to(part);
  auto result = std::forward<Work>(work)();
  timer->turn_to(before);
  return result;
}

}  // namespace faststar
