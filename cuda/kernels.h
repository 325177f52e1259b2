#pragma once
// Launchers of our kernels: plain pointers and sizes, no CUDA or torch header, so that core compiles
// without a toolkit. Each launches on `stream` and throws on a launch error. Definitions: one .cu an op.
#include <cstdint>

namespace faststar::cuda {

/// A cudaStream_t.
using Stream = void*;

/// The stream that LibTorch uses now on the current device.
Stream current_stream();

/// Element type of a kernel's activations.
enum class FloatType { float32, bfloat16 };

/// core/random.h, philox_uniform. uniform [n, d] float32, tokens [n] int64.
void philox_uniform(float* uniform, const int64_t* tokens, int64_t n, int64_t d, uint64_t seed, uint32_t stream_word,
                    uint32_t clip, Stream stream);

/// core/layers/rms_norm.h. out, x [rows, width]; weight [width] float32.
void rms_norm(void* out, const void* x, const float* weight, int64_t rows, int64_t width, float eps, FloatType type,
              Stream stream);

/// core/star/norm_rope.h. out, x [batch, tokens, heads, head_width]; weight [head_width]; cos, sin [tokens, head_width
/// / 2].
inline constexpr int64_t kMaxNormRopeWidth = 256;  ///< widest head
struct NormRope {
  void* out;
  const void* x;
  const float* weight;
  const float* cos;
  const float* sin;
  int64_t batch, tokens, heads, head_width;
  float eps;
};
void norm_rope(const NormRope& op, FloatType type, Stream stream);

/// core/star/swiglu.h. out, gate, up [elements].
void swiglu(void* out, const void* gate, const void* up, int64_t elements, FloatType type, Stream stream);

/// core/reduce/similarity.h. Maps have 64 channels and are contiguous.
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

/// core/reduce/selection.h.
struct TopSelection {
  const float* score;    // [count]
  const float* primary;  // [count] or null
  int64_t* kept;         // [keep]
  uint8_t* mask;         // [count]
  void* workspace;       // select_top_workspace(count) bytes
  int64_t count, keep, first_token;
  bool hash_ties;
  uint64_t seed;
  uint32_t stream_word, clip;
};
int64_t select_top_workspace(int64_t count);
void select_top(const TopSelection& op, Stream stream);

/// core/reduce/token_grid.h. map [frames, height, width], mean [frames, rows, columns].
struct AreaMean {
  const float* map;
  float* mean;
  int64_t frames, height, width, rows, columns;
};
void area_mean(const AreaMean& op, Stream stream);

/// core/reduce/partial_update.h. summed, updated [64, frames, height, width]; codes [bits, frames, rows, columns];
/// feature_mask [frames, height, width].
struct PartialUpdate {
  float* updated;
  const float* summed;
  const float* codes;
  const uint8_t* feature_mask;
  int64_t frames, height, width, bits, rows, columns;
};
void partial_update(const PartialUpdate& op, Stream stream);

/// core/vae/norm_silu.h for one video. Activations have one type, are contiguous with channels
/// innermost, and every pointer is aligned to 16 bytes.
struct NormSilu {
  const void* x;       // [frames, height, width, channels]
  const float* gamma;  // [channels]
  const void* factor;  // [n, latent_height, latent_width, channels]; null for a plain norm
  const void* offset;  // as factor
  const void* before;  // [2, height, width, channels]; null at the video's start
  void* extended;      // [2 + frames, height, width, channels]
  int64_t frames, height, width, channels;
  int64_t latent_height, latent_width, frames_per_latent, pixels_per_latent;  // all at least 1
};
/// True when the kernel has a variant for so many channels.
bool norm_silu_takes(int64_t channels, FloatType type);
void norm_silu(const NormSilu& op, FloatType type, Stream stream);

}  // namespace faststar::cuda
