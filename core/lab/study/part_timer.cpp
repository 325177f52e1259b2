#include "core/lab/study/part_timer.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <memory>
#include <numeric>
#include <utility>

#include "core/base/device.h"

namespace faststar {
namespace {

/// The timer that ranges of this thread report to. LibTorch's callbacks are plain functions.
thread_local PartTimer* listening = nullptr;

/// The part to turn back to at the end of a range.
struct OuterPart final : at::ObserverContext {
  explicit OuterPart(PassPart outer) : part(outer) {}
  PassPart part;
};

}  // namespace

PartTimes& PartTimes::operator+=(const PartTimes& other) {
  for (size_t part = 0; part < ms.size(); ++part) ms[part] += other.ms[part];
  return *this;
}

double PartTimes::total() const { return std::accumulate(ms.begin(), ms.end(), 0.0); }

PartTimer::PartTimer(at::Device device) : device_(device) {
  TORCH_CHECK(listening == nullptr, "PartTimer: one a thread at a time");
  synchronize(device_);
  mark(PassPart::rest);
  listening = this;
  handle_ =
      at::addThreadLocalCallback(at::RecordFunctionCallback(on_enter, on_leave).scopes({at::RecordScope::USER_SCOPE}));
}

PartTimer::~PartTimer() {
  at::removeCallback(handle_);
  listening = nullptr;
}

std::unique_ptr<at::ObserverContext> PartTimer::on_enter(const at::RecordFunction& range) {
  const auto part = part_of(range);
  if (!part || !listening) return nullptr;
  return std::make_unique<OuterPart>(listening->turn_to(*part));
}

void PartTimer::on_leave(const at::RecordFunction&, at::ObserverContext* context) {
  if (context && listening) listening->turn_to(static_cast<OuterPart*>(context)->part);
}

PassPart PartTimer::turn_to(PassPart part) {
  const PassPart before = begun_.back();
  mark(part);
  return before;
}

PartTimes PartTimer::lap() {
  const PassPart at_hand = turn_to(PassPart::rest);
  synchronize(device_);
  PartTimes times;
  for (size_t i = 0; i + 1 < begun_.size(); ++i) times[begun_[i]] += until_next(i);
  begun_.clear();
  moments_.clear();
  mark(at_hand);
  return times;
}

void PartTimer::mark(PassPart part) {
  begun_.push_back(part);
  if (device_.is_cpu()) {
    moments_.push_back(Clock::now());
    return;
  }
  if (events_.size() < begun_.size()) events_.emplace_back(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
  events_[begun_.size() - 1].record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
}

double PartTimer::until_next(size_t mark) const {
  if (!device_.is_cpu()) return events_[mark].elapsedTime(events_[mark + 1]);
  return std::chrono::duration<double, std::milli>(moments_[mark + 1] - moments_[mark]).count();
}

}  // namespace faststar
