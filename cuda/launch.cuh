#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "cuda/kernels.h"

namespace faststar::cuda {

inline cudaStream_t as_stream(Stream stream) { return static_cast<cudaStream_t>(stream); }

/// Throws Error(device) with the kernel's name when a launch was refused.
inline void check_launch(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) fail(ErrorKind::device, std::string(kernel) + ": " + cudaGetErrorString(error));
}

/// Blocks for `items` work items, `per_block` each.
inline unsigned block_count(int64_t items, int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

}  // namespace faststar::cuda
