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

}  // namespace faststar::cuda
