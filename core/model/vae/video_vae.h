#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/device.h"
#include "core/base/process_group.h"
#include "core/base/tensor.h"
#include "core/model/layers.h"
#include "core/model/vae/architecture.h"

namespace faststar {

/// Which halves to load: text to video needs no encoder.
enum class VaeParts { decoder, encoder_and_decoder };

/// How a video is encoded.
struct EncodeOptions {
  int64_t slice_frames = kEncodeSliceFrames;  ///< frames per slice: memory against speed, with the same result
  /// Of float32 convolutions on a GPU; none: as the process is set. The official code leaves PyTorch's default, TF32,
  /// which is several times faster.
  std::optional<ConvolutionBits> bits = {};
  /// Called after every slice; an exception from it ends the call.
  std::function<void(int64_t frames_done)> on_slice = {};
};

/// The video VAE: pixels to the features that the transformer predicts, and back. Stateless: what a slice
/// leaves to the next one lives in the call. Gradients flow in both directions when the weights require them.
/// Source: AutoencoderKLCogVideoX, infinity/models/videovae/models/wan_bsq_vae.py.
class VideoVae {
 public:
  /// The decoder computes in weights.dtype(), the encoder in `encode_dtype` (the official autocast leaves it float32)
  /// and all norms in float32. Throws Error(model) naming the tensor that is missing or has another shape.
  VideoVae(const Weights& weights, const VaeArchitecture& architecture, VaeParts parts = VaeParts::encoder_and_decoder,
           at::ScalarType encode_dtype = at::kFloat);

  /// Prefixes of tensors in official checkpoints that inference does not read, for warn_about_unused().
  static std::vector<std::string> unused_weights(VaeParts parts);

  /// The mean of the posterior, projected and scaled (the official code draws a sample instead).
  /// pixels [B, 3, F, H, W] in [-1, 1], F = 4 (T-1) + 1, H and W multiples of 16. Returns
  /// [B, 64, T, H/16, W/16] float32. Throws Error(input) for another shape.
  Tensor encode(const Tensor& pixels, const EncodeOptions& options = {}) const;

  /// Decodes slice by slice: `on_frames` is called with the frames of each as [B, 3, f, 16H, 16W] in the decoder's
  /// dtype, about [-1, 1] and not clamped, 4 (T-1) + 1 in all; an exception from it ends the call.
  /// features [B, 64, T, H, W]. Throws Error(input) for another shape. All processes of a `group` call it with the same
  /// arguments; each decodes some rows, and `on_frames` gets the frames in the first one, nothing in the others.
  void decode(const Tensor& features, const std::function<void(const Tensor& frames)>& on_frames,
              const DecodeOptions& options = {}, ProcessGroup* group = nullptr) const;

  const VaeArchitecture& architecture() const { return architecture_; }

 private:
  struct Encoder;
  struct Decoder;
  Tensor latents_from_features(const Tensor& features) const;
  void decode_rows(const Tensor& latents, const std::function<void(const Tensor& frames)>& on_frames,
                   const DecodeOptions& options, ProcessGroup& group) const;

  VaeArchitecture architecture_;
  Tensor scale_;  // [4] float32; only the first is in use
  at::ScalarType encode_dtype_;
  std::optional<Linear> proj_down_;
  std::shared_ptr<const Encoder> encoder_;  // null when only the decoder was loaded
  Linear proj_up_;
  std::shared_ptr<const Decoder> decoder_;
};

/// Decoded pixels in about [-1, 1] as 8-bit frames: (x + 1) / 2, clamped to [0, 1], times 255, truncated, every
/// step in the tensor's own dtype as in the official code (there bfloat16; float32 differs by at most a level).
/// decoded [1, 3, F, H, W] floating-point. Returns [F, H, W, 3] uint8, RGB, on the same device.
/// Source: summed_codes2images, infinity/models/infinity.py (which hands out BGR).
Tensor to_frames(const Tensor& decoded);

/// How frames leave the GPU: 8-bit RGB (to_frames), or the planes that H.264 stores (to_yuv420).
enum class FrameFormat { rgb, yuv420 };

/// What to show as a video's first frame (`--first-frame`): a copy of frame 1, as the official code does, or frame 0.
enum class FirstFrame { copy, keep };

/// Turns decoded slices into frames and applies the first-frame rule on the way, so that a video never has to be
/// held as a whole. A video of one frame keeps it.
class FrameStream {
 public:
  explicit FrameStream(FirstFrame rule, FrameFormat format = FrameFormat::rgb) : rule_(rule), format_(format) {}

  /// A slice as VideoVae::decode gives it, [1, 3, f, H, W]. Returns the frames that can be shown now,
  /// uint8 [n, H, W, 3] RGB or [n, 3 H / 2, W] planes; nothing while frame 0 waits for frame 1.
  std::optional<Tensor> push(const Tensor& decoded);

  /// After the last slice: the frame that is still waiting, if any.
  std::optional<Tensor> finish();

 private:
  FirstFrame rule_;
  FrameFormat format_;
  bool started_ = false;
  std::optional<Tensor> waiting_;  // frame 0
};

}  // namespace faststar
