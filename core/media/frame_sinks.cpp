#include "core/media/frame_sinks.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/media/image.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

bool is_frame_name(const std::string& name) {
  return name.size() == 10 && name.ends_with(".png") &&
         std::all_of(name.begin(), name.begin() + 6, [](char c) { return c >= '0' && c <= '9'; });
}

void check_replaceable(const fs::path& folder, Existing existing) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  if (error) fail(ErrorKind::output, fmt::format("{}: cannot write: {}", folder.string(), error.message()));
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (existing == Existing::refuse) {
      fail(ErrorKind::output, fmt::format("{}: the folder is not empty", folder.string()),
           "--overwrite replaces the frames in it");
    }
    if (!is_frame_name(name)) {
      fail(ErrorKind::output, fmt::format("{}: holds {}, which is not a frame", folder.string(), name),
           "use a new folder: other files are never deleted");
    }
  }
}

// "frames/" and "frames" are the same folder; its name is needed.
fs::path without_trailing_slash(const fs::path& folder) {
  return link_target(folder.has_filename() ? folder : folder.parent_path());
}

class BackgroundSink final : public FrameSink {
 public:
  BackgroundSink(std::unique_ptr<FrameSink> sink, size_t capacity)
      : sink_(std::move(sink)), capacity_(capacity), thread_([this] { run(); }) {}
  ~BackgroundSink() override { stop(State::abandoned); }

  void write(const Tensor& frames) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failure_ || waiting_.size() < capacity_; });
    throw_failure();
    waiting_.push_back(frames);
    changed_.notify_all();
  }

  void complete() override {
    stop(State::completing);
    throw_failure();
  }

  void publish() override { sink_->publish(); }

 private:
  enum class State { open, completing, abandoned };

  void stop(State state) {
    {
      const std::lock_guard lock(mutex_);
      state_ = state;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  // Every later call throws it again: a failed sink stays failed.
  void throw_failure() {
    if (failure_) std::rethrow_exception(failure_);
  }

  void run() {
    try {
      while (true) {
        const Tensor frames = take();
        if (!frames.defined()) break;
        sink_->write(frames);
      }
      if (state_ == State::completing) sink_->complete();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      waiting_.clear();
      changed_.notify_all();
    }
  }

  /// The next slice; an undefined tensor when there are no more.
  Tensor take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ != State::open || !waiting_.empty(); });
    if (state_ == State::abandoned || waiting_.empty()) return {};
    Tensor frames = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    return frames;
  }

  std::unique_ptr<FrameSink> sink_;
  size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Tensor> waiting_;
  State state_ = State::open;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses all members above
};

class FrameFolderWriter final : public FrameSink {
 public:
  FrameFolderWriter(const fs::path& folder, Existing existing)
      : folder_(without_trailing_slash(folder)), temporary_(temporary_name(folder_)), existing_(existing) {
    check_frame_folder(folder_, existing);
    remove_leftovers(folder_);
    do {
      if (mkdir(temporary_.path().c_str(), 0777) != 0) fail_errno(ErrorKind::output, folder_.string(), "write");
    } while (!temporary_.hold());
  }

  void write(const Tensor& frames) override {
    check_frames(frames);
    for (const Tensor& frame : frames.unbind(0)) {
      write_image(temporary_.path() / fmt::format("{:06}.png", frames_++), frame, "", Existing::replace);
    }
  }

  void complete() override { check_frame_folder(folder_, existing_); }

  void publish() override { publish_folder(temporary_.path(), folder_, existing_); }

 private:
  fs::path folder_;
  TemporaryPath temporary_;
  Existing existing_;
  int64_t frames_ = 0;
};

}  // namespace

void check_frames(const Tensor& frames) {
  if (frames.scalar_type() == at::kByte && frames.dim() == 4 && frames.size(3) == 3 && frames.is_cpu() &&
      frames.is_contiguous())
    return;
  fail(ErrorKind::internal, fmt::format("frames: expected contiguous uint8 [F, H, W, 3] on the CPU, got {} {}",
                                        dtype_text(frames.scalar_type()), shape_text(frames.sizes())));
}

bool is_frame_folder(const fs::path& output) { return !output.has_filename(); }

void check_frame_folder(const fs::path& folder, Existing existing) {
  const fs::path path = without_trailing_slash(folder);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return check_writable(path, Existing::refuse);
  check_replaceable(path, existing);
  check_writable(path / "000000.png", Existing::replace);
}

std::unique_ptr<FrameSink> in_background(std::unique_ptr<FrameSink> sink, size_t capacity) {
  return std::make_unique<BackgroundSink>(std::move(sink), capacity);
}

std::unique_ptr<FrameSink> make_frame_folder_writer(const fs::path& folder, Existing existing) {
  return std::make_unique<FrameFolderWriter>(folder, existing);
}

}  // namespace faststar
