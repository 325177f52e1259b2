#include "cuda/runtime.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <sstream>

#include "cuda/check.cuh"

namespace faststar::cuda {
namespace {

/// CUDA 13 needs a driver of the 580 series.
constexpr int kNeededDriver = 580;
constexpr const char* kDriverVersionFile = "/proc/driver/nvidia/version";

/// The installed driver's major version, 0 when there is none.
int installed_driver() {
  FILE* file = std::fopen(kDriverVersionFile, "r");
  if (!file) return 0;
  char line[512] = {};
  const bool read = std::fgets(line, sizeof line, file) != nullptr;
  std::fclose(file);
  if (!read) return 0;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    int major = 0;
    int minor = 0;
    if (std::sscanf(word.c_str(), "%d.%d", &major, &minor) == 2 && major > 100) return major;
  }
  return 0;
}

std::string describe_missing_gpu(cudaError_t error) {
  const int driver = installed_driver();
  if (error == cudaErrorInsufficientDriver && driver > 0) {
    return fmt::format("driver {} found, {} needed", driver, kNeededDriver);
  }
  if (error == cudaErrorInsufficientDriver)
    return fmt::format("no NVIDIA driver found ({} or newer needed)", kNeededDriver);
  if (error == cudaErrorNoDevice || error == cudaSuccess) return "no GPU found";
  return cudaGetErrorString(error);
}

/// What LibTorch's allocator counts, over all its pools.
constexpr auto kAllPools = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);

c10::CachingDeviceAllocator::DeviceStats allocator_statistics(int device) {
  return c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(device));
}

}  // namespace

Stream current_stream(int device) {
  return {c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream(), device};
}

GpuList list_gpus() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    (void)cudaGetLastError();
    return {{}, describe_missing_gpu(error)};
  }
  GpuList list;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), fmt::format("cuda:{}", device));
    list.gpus.push_back({properties.name, properties.major * 10 + properties.minor, properties.multiProcessorCount,
                         static_cast<int64_t>(properties.totalGlobalMem)});
  }
  return list;
}

const char* built_architectures() { return FASTSTAR_CUDA_ARCHITECTURES; }

int64_t usable_bytes(int device) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  size_t free = 0;
  size_t total = 0;
  check(cudaMemGetInfo(&free, &total), fmt::format("cuda:{}", device));
  return static_cast<int64_t>(free) + allocator_statistics(device).reserved_bytes[kAllPools].current;
}

int64_t peak_bytes(int device) { return allocator_statistics(device).allocated_bytes[kAllPools].peak; }

void reset_peak_bytes(int device) {
  c10::cuda::CUDACachingAllocator::resetPeakStats(static_cast<c10::DeviceIndex>(device));
}

void synchronize(int device) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  c10::cuda::device_synchronize();
}

void release_cached_memory() { c10::cuda::CUDACachingAllocator::emptyCache(); }

}  // namespace faststar::cuda
