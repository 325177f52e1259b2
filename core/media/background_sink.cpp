#include "core/media/background_sink.h"

#include <utility>

namespace faststar {

BackgroundSink::BackgroundSink(std::unique_ptr<FrameSink> sink, size_t capacity)
    : sink_(std::move(sink)), capacity_(capacity), thread_([this] { run(); }) {}

BackgroundSink::~BackgroundSink() { stop(State::abandoned); }

void BackgroundSink::write(const Tensor& frames) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ || waiting_.size() < capacity_; });
  throw_failure();
  waiting_.push_back(frames);
  changed_.notify_all();
}

void BackgroundSink::complete() {
  stop(State::completing);
  throw_failure();
}

void BackgroundSink::publish() { sink_->publish(); }

void BackgroundSink::stop(State state) {
  {
    const std::lock_guard lock(mutex_);
    state_ = state;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// Rethrown as often as asked: a failed sink stays failed.
void BackgroundSink::throw_failure() {
  if (failure_) std::rethrow_exception(failure_);
}

void BackgroundSink::run() {
  try {
    feed_sink();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    waiting_.clear();
    changed_.notify_all();
  }
}

void BackgroundSink::feed_sink() {
  while (true) {
    const Tensor frames = take();
    if (!frames.defined()) break;
    sink_->write(frames);
  }
  if (state_ == State::completing) sink_->complete();
}

Tensor BackgroundSink::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return state_ != State::open || !waiting_.empty(); });
  if (state_ == State::abandoned || waiting_.empty()) return {};
  Tensor frames = std::move(waiting_.front());
  waiting_.pop_front();
  changed_.notify_all();
  return frames;
}

}  // namespace faststar
