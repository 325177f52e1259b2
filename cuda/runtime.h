#pragma once
// What core asks of the CUDA runtime and LibTorch's CUDA allocator. Plain declarations; defined only in CUDA builds.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace faststar::cuda {

/// A refused launch or a failed CUDA call.
class Failure : public std::runtime_error {
 public:
  enum class Device { usable, lost };
  explicit Failure(const std::string& message, Device device = Device::usable)
      : std::runtime_error(message), device_(device) {}
  /// True when CUDA says that this process cannot use the device any more.
  bool device_lost() const { return device_ == Device::lost; }

 private:
  Device device_;
};

/// A cudaStream_t and the GPU that it belongs to.
struct Stream {
  void* handle = nullptr;
  int device = 0;
};

/// The stream that LibTorch uses now on a GPU.
Stream current_stream(int device);

struct Gpu {
  std::string name;
  int capability = 0;  ///< 90 for compute capability 9.0
  int multiprocessors = 0;
  int64_t total_bytes = 0;
};

struct GpuList {
  std::vector<Gpu> gpus;
  std::string why_none;  ///< what is missing when there are none
};

/// Throws Failure when a GPU does not answer.
GpuList list_gpus();

/// The architectures that the kernels were compiled for, "89,90a"; empty in a build without CUDA.
const char* built_architectures();

/// Bytes of a GPU that are free or that LibTorch's allocator holds. Throws Failure when the GPU does not answer.
int64_t usable_bytes(int device);

/// Most bytes that tensors held since the last reset.
int64_t peak_bytes(int device);
void reset_peak_bytes(int device);

/// Waits for all work on a GPU. Throws c10::Error.
void synchronize(int device);

/// Gives what LibTorch's allocator caches back to the driver.
void release_cached_memory();

}  // namespace faststar::cuda
