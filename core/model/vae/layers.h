#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/process_group.h"
#include "core/base/weights/weights.h"
#include "core/model/layers.h"
#include "core/model/vae/norm_silu.h"

// Note [Layout in the VAE]
// Every activation is [B, T, H, W, C], contiguous: channels are innermost in memory, which is what the fast
// convolutions of cuDNN and oneDNN want (their NDHWC, torch's channels_last_3d) and what norms over channels
// read in one sweep. Frames of one video are then contiguous blocks, so that slicing in time copies nothing.
// Only VideoVae's own interface is in torch's [B, C, T, H, W], as views of the same memory.

namespace faststar {

/// What the layers of the encoder or of the decoder are loaded from.
struct VaeHalf {
  const Weights& weights;
  at::ScalarType dtype;         ///< of convolutions and activations; norms are float32 throughout
  int64_t latent_channels = 0;  ///< of the latents that condition the norms (decoder); 0 in the encoder
};

/// The processes that decode the rows above and below those of this one: every convolution reads one row of theirs.
struct RowNeighbours {
  ProcessGroup& group;
  std::optional<int> above, below;  ///< none: this process has the first row, or the last

  /// x [B, T, H, W, C] with a row above and a row below, zeros at the edges of the frame: [B, T, H + 2, W, C].
  Tensor extend(const Tensor& x) const;
};

/// The state of one video that is encoded or decoded slice by slice. Layers are const; what a slice leaves to the
/// next one is kept here.
class VideoPass {
 public:
  bool at_start = true;  ///< this slice begins with the video's first frame, which is a latent frame of its own
  bool at_end = false;   ///< this slice ends the video: nothing has to be remembered
  const RowNeighbours* neighbours = nullptr;  ///< null: this process has all rows
  Tensor latents;  ///< [B, n, h, w, latent_channels]: the decoder's input slice, conditions its norms

  /// The two frames before this slice, [B, 2, H, W, C], as the next convolution reads them; undefined at the start.
  Tensor frames_before() const;
  /// Keeps the last two frames of that convolution's input, [B, 2 + T, H, W, C], and goes on to the one after it.
  void remember(const Tensor& extended);
  /// Goes back to the first convolution.
  void end_slice();

 private:
  std::vector<Tensor> last_frames_;  // one entry per convolution, in the order in which they run
  size_t convolution_ = 0;           // the next one to run
};

/// 3x3x3 convolution that reads no later frame; height and width are padded with zeros, or with the rows of neighbours.
/// Source: CogVideoXCausalConv3d, infinity/models/videovae/modules/conv_wan.py.
struct CausalConv3d {
  /// Reads `<prefix>.conv.weight` [out, in, 3, 3, 3] and `<prefix>.conv.bias` [out].
  CausalConv3d(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out);
  /// extended [B, 2 + T, H, W, in] (extend_in_time) -> [B, T, H, W, out]. On a GPU the bias is left to the kernel that
  /// follows, unless kernels are off or gradients are recorded.
  DeferredSum operator()(const Tensor& extended, VideoPass& pass) const;

  Tensor weight;  // [out, in, 3, 3, 3], channels innermost
  Tensor bias;    // [out]
};

/// The weights of a norm over channels: of RMS_norm, and in the decoder of the spatial norm around it.
struct ChannelNorm {
  /// RMS_norm: `<prefix>.gamma`.
  static ChannelNorm plain(const VaeHalf& half, const std::string& prefix, int64_t channels);
  /// The norm of residual blocks: RMS_norm in the encoder; in the decoder the norm conditioned on the latents,
  /// `<prefix>.norm_layer.gamma` and the 1x1x1 convolutions `<prefix>.conv_y.conv` and `<prefix>.conv_b.conv`.
  static ChannelNorm of_half(const VaeHalf& half, const std::string& prefix, int64_t channels);

  Tensor gamma;                  // [C, 1, 1, 1] float32
  std::optional<Linear> factor;  // conv_y, of the latents; none in a plain norm
  std::optional<Linear> offset;  // conv_b
};

/// convolution(silu(norm(x))): every convolution of the VAE but the first of each half.
struct NormConv {
  struct Result {
    DeferredSum output;  // [B, T, H, W, out]
    Tensor sum;          // x with all that was pending, [B, T, H, W, in]; undefined unless kept
  };
  Result operator()(DeferredSum x, VideoPass& pass, KeepSum keep = KeepSum::no) const;

  ChannelNorm norm;
  CausalConv3d conv;
};

/// Blocks `<prefix>.resnets.0` to `<prefix>.resnets.<count - 1>`, one after the other: each adds
/// conv2(silu(norm2(conv1(silu(norm1(x)))))) to x, [B, T, H, W, C].
/// Source: CogVideoXResnetBlock3D, infinity/models/videovae/models/wan_bsq_vae.py.
struct ResnetStack {
  ResnetStack(const VaeHalf& half, const std::string& prefix, int64_t channels, int64_t count);
  DeferredSum operator()(DeferredSum x, VideoPass& pass) const;

  struct Block {
    NormConv first, second;
  };
  std::vector<Block> blocks;
};

/// How a resampler changes the number of frames.
enum class TimeFactor : int64_t { one = 1, two = 2 };

/// Halves height and width and, with TimeFactor::two, averages pairs of frames; the video's first frame has no pair.
/// A convolution to out/4 channels whose 2x2 pixels become channels, plus a parameter-free shortcut: the same
/// rearrangement of x, averaged over groups of channels.
/// Source: DCDownBlock3d, infinity/models/videovae/modules/conv_wan.py.
struct DownSample {
  /// Reads `<prefix>.norm.gamma` and `<prefix>.conv.conv`.
  DownSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor time);
  /// x [B, T, H, W, in] -> [B, T', H/2, W/2, out]; T' = T / time, at the video's start 1 + (T-1) / time.
  Tensor operator()(DeferredSum x, VideoPass& pass) const;

  NormConv conv;
  int64_t time;
};

/// Doubles height and width and, with TimeFactor::two, frames; the video's first frame stays one frame, the
/// mean of its two. A convolution whose channels become pixels, plus a parameter-free shortcut: the channels of x,
/// repeated and rearranged in the same way.
/// Source: DCUpBlock3d, infinity/models/videovae/modules/conv_wan.py.
struct UpSample {
  /// Reads `<prefix>.norm.gamma` and `<prefix>.conv.conv`.
  UpSample(const VaeHalf& half, const std::string& prefix, int64_t in, int64_t out, TimeFactor time);
  /// x [B, T, H, W, in] -> [B, T', 2H, 2W, out]; T' = T * time, at the video's start 1 + (T-1) * time.
  Tensor operator()(DeferredSum x, VideoPass& pass) const;

  NormConv conv;
  int64_t time;
};

}  // namespace faststar
