#pragma once
// Launchers of our kernels: plain pointers and sizes, no CUDA or torch header, so that core compiles
// without a toolkit. Each launches on `stream` and throws on a launch error. Definitions: one .cu an op.
#include <cstdint>

namespace faststar::cuda {

/// A cudaStream_t.
using Stream = void*;

/// The stream that LibTorch uses now on the current device.
Stream current_stream();

/// core/random.h, philox_uniform. uniform [n, d] float32, tokens [n] int64.
void philox_uniform(float* uniform, const int64_t* tokens, int64_t n, int64_t d, uint64_t seed, uint32_t stream_word,
                    uint32_t clip, Stream stream);

/// What a pointer to activations points to.
enum class ElementType { float32, bfloat16 };

/// core/vae/norm_silu.h for one video. Activations have one ElementType, are contiguous with channels
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
bool norm_silu_takes(int64_t channels, ElementType type);
void norm_silu(const NormSilu& op, ElementType type, Stream stream);

}  // namespace faststar::cuda
