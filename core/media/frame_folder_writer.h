#pragma once
#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/media/frame_sink.h"

namespace faststar {

/// Throws Error(output) unless `folder` may become a folder of frames: its parent exists, and it is absent,
/// empty, or with Existing::replace holds nothing but such frames (other files are never deleted).
void check_frame_folder(const std::filesystem::path& folder, Existing existing);

/// Frames as `000000.png`, `000001.png`, ... in one folder, which gets its name when all are written.
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
