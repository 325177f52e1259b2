#pragma once
// Launchers of our kernels: plain pointers and sizes, no CUDA or torch header, so that core compiles without a toolkit.
// Tensors are contiguous and lie on the stream's device; core's kernel_stream (core/base/device.h) checks that. Each
// launches on `stream`. It throws Failure when CUDA refuses, std::invalid_argument when sizes or alignments are not
// those asked for here, and does nothing when a tensor is empty. Definitions: a .cu an op and its gradients.
#include <cstdint>

#include "cuda/runtime.h"

namespace faststar::cuda {

/// Element type of a kernel's activations.
enum class FloatType { float32, bfloat16 };

/// core/base/random.h, philox_uniform. uniform [n, d] float32, aligned to 16 bytes; tokens [n] int64.
void philox_uniform(float* uniform, const int64_t* tokens, int64_t n, int64_t d, uint64_t seed, uint32_t stream_word,
                    uint32_t clip, Stream stream);

/// core/model/layers.h: the norm of x, or of x + branch.
struct RmsNorm {
  void* out;            // [rows, width]
  const void* x;        // as out
  const float* weight;  // [width]
  const void* branch;   // as out; null: none
  void* sum;            // as out: x + branch; null without a branch
  int64_t rows, width;
  float eps;
};
void rms_norm(const RmsNorm& op, FloatType type, Stream stream);

/// The gradients of rms_norm and, with cos and sin, of norm_rope.
inline constexpr int64_t kMaxRmsNormGradientWidth = 1024;
struct RmsNormGradient {
  const void* x;         // [rows, width], aligned to pairs; width is even
  const float* weight;   // [width], aligned to 8 bytes
  const void* grad_out;  // as x
  void* grad_x;          // as x
  float* grad_weight;    // [rms_norm_gradient_blocks, width]: to be summed over blocks
  const float* cos;      // [positions, width / 2]; null without rotation
  const float* sin;      // as cos
  int64_t rows, width;
  int64_t positions, rows_per_position;  // row r is at r / rows_per_position % positions
  float eps;
};
int64_t rms_norm_gradient_blocks(int64_t rows);
void rms_norm_gradient(const RmsNormGradient& op, FloatType type, Stream stream);

/// core/model/layers.h, split_qkv and, without keys and values, norm_rope. x, q, k, v are aligned to pairs.
inline constexpr int64_t kMaxSplitQkvWidth = 256;  ///< widest head
struct SplitQkv {
  void* q;                // [batch, tokens, q_heads, head_dim]
  void* k;                // [batch, tokens, kv_heads, head_dim]; rows lie `kv_batch_stride` elements apart
  void* v;                // as k
  const void* x;          // [batch, tokens, q_heads + 2 * kv_heads, head_dim]
  const float* q_weight;  // [head_dim]
  const float* k_weight;  // [head_dim]
  const float* cos;       // [tokens, head_dim / 2]
  const float* sin;       // as cos
  int64_t batch, tokens, q_heads, kv_heads, head_dim;
  int64_t kv_batch_stride;  // even
  float eps;
};
void split_qkv(const SplitQkv& op, FloatType type, Stream stream);

/// core/model/layers.h. out [rows, width], gate_up [rows, 2 * width].
void swiglu(void* out, const void* gate_up, int64_t rows, int64_t width, FloatType type, Stream stream);

/// core/model/quantize.h. x, branch, sum, values are aligned to 16 bytes.
struct QuantizeRows {
  void* values;              // [rows, width] E4M3
  float* scale;              // [rows]
  const void* x;             // [rows, width], or [rows, 2 * width] when gated
  const void* branch;        // as x: is added before the norm; null: none
  void* sum;                 // as x: x + branch; null without a branch
  const float* norm_weight;  // [width]: quantizes the RMS norm of x; null: none
  int64_t rows, width;
  bool gated;  // quantizes silu(gate) * up, which lie beside each other in x
  float eps;   // of the norm
};
/// True when there is a kernel for rows of this width.
bool quantize_rows_takes(int64_t width, FloatType type);
void quantize_rows(const QuantizeRows& op, FloatType type, Stream stream);

/// core/model/star/attention.h. x and values are aligned to 16 bytes, a group is made of whole vectors of 16 bytes of
/// x.
struct QuantizeHeads {
  void* values;    // [batch, tokens, groups, group_width] E4M3
  float* descale;  // [batch, groups]
  int* largest;    // [batch, groups]: workspace
  const void* x;   // as values; rows lie `batch_stride` elements apart
  int64_t batch, tokens, groups, group_width;
  int64_t batch_stride;
};
void quantize_heads(const QuantizeHeads& op, FloatType type, Stream stream);

/// core/model/reduce/faststar.h. Maps have 64 channels and are contiguous.
enum class SimilarityNorm { sum, squares, largest };
struct Similarity {
  const float* current;    // [64, frames, positions_per_frame]
  const float* previous;   // the same; null: no spatial term
  const float* reference;  // [64, reference_frames, positions_per_frame]; null: no temporal term
  float* spatial;          // [frames, positions_per_frame] each
  float* temporal;
  float* score;
  int64_t frames, reference_frames, positions_per_frame;
  SimilarityNorm norm;
  float eps;
};
void similarity_score(const Similarity& op, Stream stream);

/// core/model/reduce/selection.h.
struct TopSelection {
  const float* score;    // [count]
  const float* primary;  // [count] or null
  int64_t* kept;         // [keep]
  uint8_t* mask;         // [count]
  void* workspace;       // select_top_workspace bytes
  int64_t count, keep;
  uint64_t seed;
  uint32_t stream_word, clip;
};
int64_t select_top_workspace(int64_t count, Stream stream);
void select_top(const TopSelection& op, Stream stream);

/// core/model/reduce/selection.h. map [frames, height, width], mean [frames, rows, columns].
struct AreaMean {
  const float* map;
  float* mean;
  int64_t frames, height, width, rows, columns;
};
void area_mean(const AreaMean& op, Stream stream);

/// core/model/reduce/faststar.h. summed, updated [64, frames, height, width]; codes [bits, frames, rows,
/// columns]; feature_mask [frames, height, width].
struct PartialUpdate {
  float* updated;
  const float* summed;
  const float* codes;
  const uint8_t* feature_mask;
  int64_t frames, height, width, bits, rows, columns;
};
void partial_update(const PartialUpdate& op, Stream stream);

/// The gradients of swiglu.
struct SwigluGradient {
  const void* gate_up;   // [rows, 2 * width]
  const void* grad_out;  // [rows, width]
  void* grad_gate_up;    // as gate_up
  int64_t rows, width;
};
void swiglu_gradient(const SwigluGradient& op, FloatType type, Stream stream);

/// core/model/vae/norm_silu.h. Activations have one type, are contiguous with channels innermost, and every pointer is
/// aligned to 16 bytes.
struct NormSilu {
  const void* x;       // [batch, frames, height, width, channels]
  const float* gamma;  // [channels]
  const void* factor;  // [batch, latent_frames, latent_height, latent_width, channels]; null for a plain norm
  const void* offset;  // as factor
  const void* before;  // [batch, 2, height, width, channels]; null at the video's start
  void* extended;      // [batch, 2 + frames, height, width, channels]
  int64_t batch, frames, height, width, channels;
  int64_t latent_frames, latent_height, latent_width, frames_per_latent, pixels_per_latent;  // all at least 1
  // What is added to x first, rounded once: norm_silu alone reads these, its gradient does not.
  const void* bias = nullptr;      // [channels]; null: none
  const void* residual = nullptr;  // as x; null: none
  void* sum = nullptr;             // as x: x with what was added, for later use; null: not wanted
};
/// True when there is a kernel for this number of channels.
bool norm_silu_takes(int64_t channels, FloatType type);
void norm_silu(const NormSilu& op, FloatType type, Stream stream);

/// The gradients of norm_silu; that of `before` is a part of `grad_out`. A plain norm has latents here too, which
/// only say how pixels are grouped: ceil(height / pixels_per_latent) rows of them and so on.
struct NormSiluGradient {
  NormSilu op;           // what was computed; `extended` is not read
  const void* grad_out;  // as op.extended
  void* grad_x;          // as op.x
  void* grad_factor;     // as op.factor; null for a plain norm
  void* grad_offset;     // as op.factor
  float* grad_gamma;     // [norm_silu_gradient_blocks, channels]: to be summed over blocks
};
int64_t norm_silu_gradient_blocks(const NormSilu& op, FloatType type);
void norm_silu_gradient(const NormSiluGradient& gradient, FloatType type, Stream stream);

/// core/model/vae/depth_to_space.h. Tensors are aligned to 16 bytes, and channels are made of whole vectors of 16
/// bytes.
struct DepthToSpace {
  const void* u;         // [batch, frames, height, width, time * 4 * channels]
  const void* bias;      // [time * 4 * channels]; null: none
  const void* shortcut;  // [batch, frames, height, width, shortcut_channels]
  void* out;             // [batch, out_frames, 2 * height, 2 * width, channels]
  int64_t batch, frames, height, width, channels, time;
  int64_t shortcut_channels;  // channels times 1, 2 or 4
  int64_t out_frames;         // time * frames, or one for the first frame and time for each other
};
void depth_to_space(const DepthToSpace& op, FloatType type, Stream stream);

/// core/model/vae/rgb_conv.h. bfloat16 alone; extended and weights are aligned to 16 bytes.
struct RgbConv {
  const void* extended;  // [batch, frames + 2, height, width, channels]
  const void* weights;   // [9 taps in height and width, channels / 16, 32 lanes, 8]: pack_weights in rgb_conv.cpp
  const void* bias;      // [3]
  void* out;             // [batch, frames, height, width, 3]
  int64_t batch, frames, height, width, channels;
};
/// True when there is a kernel for this number of channels.
bool rgb_conv_takes(int64_t channels);
void rgb_conv(const RgbConv& op, Stream stream);

/// core/model/vae/yuv420.h. Height and width are even.
struct Yuv420 {
  const void* decoded;  // [frames, height, width, 3]
  uint8_t* planes;      // [frames, 3 * height / 2, width]
  int64_t frames, height, width;
};
void yuv420(const Yuv420& op, FloatType type, Stream stream);

}  // namespace faststar::cuda
