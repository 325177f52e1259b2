#pragma once
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/host_copy.h"
#include "core/model/vae/video_vae.h"
#include "core/pipeline/outputs.h"

namespace faststar {

/// The frames of one decode on their way into files, one slice behind the decoder: the GPU decodes a slice while the
/// one before it is copied to the host, and threads of their own encode those before that. Nothing is left behind when
/// it is destroyed unfinished.
class FrameFiles {
 public:
  /// What is decoded.
  struct Source {
    int64_t latents;    ///< one makes a picture
    at::Device device;  ///< that decodes
    bool keep;          ///< finish() returns the frames
  };
  /// `on_done` is called with the number of decoded frames of each slice whose frames have left the GPU.
  FrameFiles(const OutputFiles& files, const ShownFrames& shown, const Source& source,
             std::function<void(int64_t frames)> on_done);

  /// A slice as VideoVae::decode gives it.
  void push(const Tensor& decoded);
  /// Completes the files. Returns the frames, if they were to be kept: uint8 [F, H, W, 3] RGB on the CPU, in parts.
  std::vector<Tensor> finish();

 private:
  /// What one slice shows, and how many frames were decoded for it.
  struct Slice {
    std::optional<HostCopy> shown;
    int64_t decoded;
  };
  std::optional<HostCopy> start_copy(const std::optional<Tensor>& frames);
  void hand_on_first();
  void write(const Tensor& frames);

  const OutputFiles& files_;
  std::optional<VideoOutput> video_;
  int64_t left_out_;  ///< frames still to be left out
  FrameStream stream_;
  bool keep_;
  std::function<void(int64_t)> on_done_;
  std::deque<Slice> in_flight_;
  std::vector<Tensor> kept_;
};

}  // namespace faststar
