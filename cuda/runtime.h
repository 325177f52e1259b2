#pragma once
// What core asks of the CUDA runtime and of LibTorch's CUDA part: devices, memory, recorded work, what GPUs tell each
// other. Plain declarations.
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace at {
class Tensor;
}

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
  int64_t total_bytes = 0;
  std::string bus_id;  ///< "0000:18:00.0": what the driver's tools call it
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

/// Queues a copy of `source`, contiguous on a GPU, into `host`, as large and in pinned memory, behind what is queued on
/// the current stream. It runs on a stream for copies: later work on the current one does not wait for it. Returns what
/// waits for the copy.
std::function<void()> copy_to_host(const at::Tensor& host, const at::Tensor& source);

/// Memory of the current GPU that recordings share which never run at the same time. The one that needs most should
/// come first: the others then fit into what it leaves.
class GraphPool;
std::shared_ptr<GraphPool> make_graph_pool();

/// Runs `work` once, so that libraries choose their kernels and allocate, then records its GPU work as one
/// CUDA graph: replayed, its kernels no longer wait for the CPU to launch them. Everything that `work` reads and
/// writes must keep its address, and it may not wait for the GPU. Returns what replays it on the current stream.
/// Throws c10::Error when the work cannot be recorded.
std::function<void()> record(const std::function<void()>& work, const std::shared_ptr<GraphPool>& pool);

/// What the processes of one communicator have to share: one makes it, all join with it.
std::vector<uint8_t> make_communicator_id();

/// A contiguous tensor on this process's GPU, to or from another process.
struct Transfer {
  int peer = 0;
  const at::Tensor* tensor = nullptr;
};

/// The processes of a communicator, one a GPU. Work is queued on the current stream; every process has to ask for the
/// same in the same order. Throws c10::Error.
class Communicator {
 public:
  virtual ~Communicator() = default;
  /// Replaces a contiguous tensor by the sum over all processes, the same bits in each.
  virtual void sum(const at::Tensor& tensor) = 0;
  /// All transfers at once. Those between two processes match in the order of their lists.
  virtual void exchange(const std::vector<Transfer>& sent, const std::vector<Transfer>& received) = 0;
};

/// Joins `count` processes as number `rank` with GPU `device`; waits until all are there. Throws c10::Error.
std::unique_ptr<Communicator> join_communicator(const std::vector<uint8_t>& id, int rank, int count, int device);

}  // namespace faststar::cuda
