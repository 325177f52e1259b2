#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>

#include "core/base/atomic_file.h"
#include "core/base/tensor.h"

namespace faststar {

/// Writes frames as they are made. Destroyed before publish(), it leaves no file behind.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// frames: uint8 [F, H, W, 3] RGB, on the CPU, contiguous; F >= 0. They must not change afterwards. A sink may take
  /// another format besides, and says so.
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

/// Feeds `sink` from a thread of its own, so that decoding on the GPU and encoding on the CPU overlap. At most
/// `capacity` slices wait; write() blocks while the queue is full. An exception of `sink` is thrown by every later
/// write() and complete(). Destroyed before complete(), it drops the slices that wait.
std::unique_ptr<FrameSink> in_background(std::unique_ptr<FrameSink> sink, size_t capacity = 3);

/// True for "frames/": the name of a folder of frames, instead of a video.
bool is_frame_folder(const std::filesystem::path& output);

/// Throws Error(output) unless frames can be written to `folder`: its parent exists, and it is absent, empty, or with
/// Existing::replace holds nothing but frames (other files are never deleted).
void check_frame_folder(const std::filesystem::path& folder, Existing existing);

/// Writes frames as `000000.png`, `000001.png`, ... to a folder that gets its name when all are written. Throws as
/// check_frame_folder; its write() throws Error(output) when the disk is full or fails.
std::unique_ptr<FrameSink> make_frame_folder_writer(const std::filesystem::path& folder, Existing existing);

}  // namespace faststar
