#pragma once
#include <functional>
#include <optional>

#include "core/model/layers/linear.h"
#include "core/model/vae/encoder_decoder.h"
#include "core/model/vae/plan.h"

namespace faststar {

/// Which halves to load: text to video needs no encoder.
enum class VaeParts { decoder, encoder_and_decoder };

/// The encoder's dtype; the official autocast leaves it float32.
struct EncodePrecision {
  at::ScalarType dtype = at::kFloat;
};

/// How much of a video is encoded at once: memory against speed. The result is the same for any value.
struct EncodeOptions {
  int64_t slice_frames = kEncodeSliceFrames;  ///< frames per slice
  std::function<void(int64_t frames_done)> on_slice =
      {};  ///< called after every slice; an exception from it ends the call
};

/// The video VAE: pixels to the features that the transformer predicts, and back. Stateless: what a slice
/// leaves to the next one lives in the call. Gradients flow in both directions when the weights require them.
/// Source: AutoencoderKLCogVideoX, infinity/models/videovae/models/wan_bsq_vae.py.
class VideoVae {
 public:
  /// The decoder computes in weights.dtype(), the encoder in `precision.dtype` and all norms in float32.
  /// Throws Error(model) naming the tensor that is missing or has another shape.
  VideoVae(const Weights& weights, const VaeArchitecture& architecture, VaeParts parts = VaeParts::encoder_and_decoder,
           EncodePrecision precision = {});

  /// Prefixes of tensors in official checkpoints that inference does not read, for warn_about_unused().
  static std::vector<std::string> unused_weights(VaeParts parts);

  /// The mean of the posterior, projected and scaled (the official code draws a sample instead).
  /// pixels [B, 3, F, H, W] in [-1, 1], F = 4 (T-1) + 1, H and W multiples of 16. Returns
  /// [B, 64, T, H/16, W/16] float32. Throws Error(input) for another shape.
  Tensor encode(const Tensor& pixels, const EncodeOptions& options = {}) const;

  /// Decodes slice by slice: `on_frames` is called with the frames of each as [B, 3, f, 16H, 16W] in the decoder's
  /// dtype, about [-1, 1] and not clamped, 4 (T-1) + 1 in all; an exception from it ends the call.
  /// features [B, 64, T, H, W]. Throws Error(input) for another shape.
  void decode(const Tensor& features, const std::function<void(const Tensor& frames)>& on_frames,
              const DecodeOptions& options = {}) const;

  const VaeArchitecture& architecture() const { return architecture_; }

 private:
  Tensor features_from_posterior(const Tensor& posterior) const;
  Tensor latents_from_features(const Tensor& features) const;

  VaeArchitecture architecture_;
  Tensor scale_;  // [4] float32; only the first is in use
  EncodePrecision precision_;
  std::optional<Linear> proj_down_;
  std::optional<Encoder> encoder_;
  Linear proj_up_;
  Decoder decoder_;
};

}  // namespace faststar
