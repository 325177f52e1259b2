#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/tensor.h"

namespace faststar {

/// Writes frames as they are made. Destroyed before publish(), it leaves no file behind.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// frames: uint8 [F, H, W, 3] RGB, on the CPU, contiguous; F >= 0. They must not change afterwards.
  virtual void write(const Tensor& frames) = 0;
  /// Completes the output under a temporary name. Nothing may be written afterwards.
  virtual void complete() = 0;
  /// Gives the complete output its final name.
  virtual void publish() = 0;
  void finish() {
    complete();
    publish();
  }
};

/// Throws Error(internal) unless `frames` is what FrameSink::write takes.
void check_frames(const Tensor& frames);

/// Feeds another sink from a thread of its own, so that decoding on the GPU and encoding on the CPU overlap.
/// An exception of the other sink is thrown by the next write() or complete().
class BackgroundSink final : public FrameSink {
 public:
  /// At most `capacity` slices wait; write() blocks while the queue is full.
  explicit BackgroundSink(std::unique_ptr<FrameSink> sink, size_t capacity = 3);
  /// Drops the slices that wait.
  ~BackgroundSink() override;
  void write(const Tensor& frames) override;
  /// Waits until everything is written and the other sink is complete.
  void complete() override;
  void publish() override;

 private:
  enum class State { open, completing, abandoned };

  void run();
  /// The next slice; an undefined tensor when there are no more.
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
  std::thread thread_;  // last: it uses all members above
};

/// Throws Error(output) unless frames can be written to `folder`: its parent exists, and it is absent, empty, or with
/// Existing::replace holds nothing but frames (other files are never deleted).
void check_frame_folder(const std::filesystem::path& folder, Existing existing);

/// Frames as `000000.png`, `000001.png`, ... in a folder that gets its name when all are written.
class FrameFolderWriter final : public FrameSink {
 public:
  /// Throws as check_frame_folder.
  FrameFolderWriter(std::filesystem::path folder, Existing existing);
  /// Throws Error(output) when the disk is full or fails.
  void write(const Tensor& frames) override;
  void complete() override;
  void publish() override;

 private:
  std::filesystem::path folder_;
  TemporaryPath temporary_;
  Existing existing_;
  int64_t frames_ = 0;
};

}  // namespace faststar
