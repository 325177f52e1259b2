#include "cuda/runtime.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <sstream>

#include "core/base/device.h"
#include "core/base/error.h"
#include "cuda/kernels.h"

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

/// "90a;100" runs on capability 90 exactly (the suffix ties it to one chip) and on 10.x.
bool runs_on(const std::string& built, int capability) {
  std::istringstream list(built);
  for (std::string entry; std::getline(list, entry, ';');) {
    const int number = std::atoi(entry.c_str());
    const bool exact = !entry.empty() && entry.back() == 'a';
    if (exact ? number == capability : number / 10 == capability / 10 && number <= capability) return true;
  }
  return false;
}

}  // namespace

std::vector<GpuInfo> list_gpus(std::string* why_none) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    if (why_none) *why_none = describe_missing_gpu(error);
    (void)cudaGetLastError();
    return {};
  }
  std::vector<GpuInfo> gpus;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
    gpus.push_back({properties.name, properties.major * 10 + properties.minor, properties.multiProcessorCount,
                    static_cast<int64_t>(properties.totalGlobalMem)});
  }
  return gpus;
}

void check_architecture(int index) {
  cudaDeviceProp properties{};
  C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
  const int capability = properties.major * 10 + properties.minor;
  if (runs_on(FASTSTAR_CUDA_ARCHITECTURES, capability)) return;
  fail(ErrorKind::device,
       fmt::format("--device cuda:{}: {} has architecture {}, this faststar was built for {}", index, properties.name,
                   capability, FASTSTAR_CUDA_ARCHITECTURES),
       fmt::format("build with -DCMAKE_CUDA_ARCHITECTURES={}, or use --device cpu", capability));
}

int64_t usable_bytes(int index) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  size_t free = 0;
  size_t total = 0;
  if (const cudaError_t error = cudaMemGetInfo(&free, &total); error != cudaSuccess) {
    fail(ErrorKind::device, fmt::format("cuda:{}: {}", index, cudaGetErrorString(error)));
  }
  using c10::CachingAllocator::StatType;
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
  return static_cast<int64_t>(free) + stats.reserved_bytes[static_cast<size_t>(StatType::AGGREGATE)].current;
}

int64_t peak_bytes(int index) {
  using c10::CachingAllocator::StatType;
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
  return stats.allocated_bytes[static_cast<size_t>(StatType::AGGREGATE)].peak;
}

void reset_peak_bytes(int index) {
  c10::cuda::CUDACachingAllocator::resetPeakStats(static_cast<c10::DeviceIndex>(index));
}

void synchronize(int index) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  c10::cuda::device_synchronize();
}

void release_cached_memory() { c10::cuda::CUDACachingAllocator::emptyCache(); }

Stream current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

}  // namespace faststar::cuda
