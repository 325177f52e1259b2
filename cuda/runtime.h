#pragma once
// What core asks of the CUDA runtime and LibTorch's CUDA allocator. Defined only in CUDA builds.
#include <cstdint>
#include <string>
#include <vector>

namespace faststar {
struct GpuInfo;
}

namespace faststar::cuda {

std::vector<GpuInfo> list_gpus(std::string* why_none);

/// Throws Error(device) naming both when GPU `index` cannot run the architectures that were compiled in.
void check_architecture(int index);

int64_t usable_bytes(int index);
int64_t peak_bytes(int index);
void reset_peak_bytes(int index);
void synchronize(int index);
void release_cached_memory();

}  // namespace faststar::cuda
