#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "core/media/frame_sink.h"

namespace faststar {

/// Feeds another sink from a thread of its own, so that decoding on the GPU and encoding on the CPU overlap.
/// What the other sink throws comes out of the next write() or complete().
class BackgroundSink final : public FrameSink {
 public:
  /// At most `capacity` slices wait; write() blocks while the queue is full.
  explicit BackgroundSink(std::unique_ptr<FrameSink> sink, size_t capacity = 3);
  /// Drops what waits.
  ~BackgroundSink() override;
  void write(const Tensor& frames) override;
  /// Waits until all is written and the other sink is complete.
  void complete() override;
  void publish() override;

 private:
  enum class State { open, completing, abandoned };

  void run();
  void feed_sink();
  /// The next slice; an undefined tensor when there will be none.
  Tensor take();
  void stop(State state);
  void throw_failure();

  std::unique_ptr<FrameSink> sink_;
  size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Tensor> waiting_;
  State state_ = State::open;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace faststar
