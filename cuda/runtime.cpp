#include "cuda/runtime.h"

#include <ATen/core/Tensor.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/ScopeExit.h>
#include <fmt/format.h>
#include <torch/csrc/cuda/nccl.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "cuda/check.cuh"

namespace faststar::cuda {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;
namespace nccl = torch::cuda::nccl;

/// CUDA 13 needs a driver of the 580 series.
constexpr int kNeededDriver = 580;

/// The installed driver's major version, 0 when there is none.
int installed_driver() {
  std::ifstream file("/proc/driver/nvidia/version");
  for (std::string word; file >> word;) {
    int major = 0;
    int minor = 0;
    if (std::sscanf(word.c_str(), "%d.%d", &major, &minor) == 2 && major > 100) return major;
  }
  return 0;
}

std::string describe_missing_gpu(cudaError_t error) {
  if (error == cudaErrorInsufficientDriver) {
    const int driver = installed_driver();
    return driver > 0 ? fmt::format("driver {} found, {} needed", driver, kNeededDriver)
                      : fmt::format("no NVIDIA driver found ({} or newer needed)", kNeededDriver);
  }
  if (error == cudaErrorNoDevice || error == cudaSuccess) return "no GPU found";
  return cudaGetErrorString(error);
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
    list.gpus.push_back(
        {properties.name, properties.major * 10 + properties.minor, static_cast<int64_t>(properties.totalGlobalMem),
         fmt::format("{:04x}:{:02x}:{:02x}.0", properties.pciDomainID, properties.pciBusID, properties.pciDeviceID)});
  }
  return list;
}

const char* built_architectures() { return FASTSTAR_CUDA_ARCHITECTURES; }

int64_t usable_bytes(int device) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  size_t free = 0;
  size_t total = 0;
  check(cudaMemGetInfo(&free, &total), fmt::format("cuda:{}", device));
  constexpr auto kAllPools = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto statistics = allocator::getDeviceStats(static_cast<c10::DeviceIndex>(device));
  return static_cast<int64_t>(free) + statistics.reserved_bytes[kAllPools].current;
}

std::function<void()> copy_to_host(const at::Tensor& host, const at::Tensor& source) {
  const auto copies = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, source.device().index());
  at::cuda::CUDAEvent made;
  made.record(c10::cuda::getCurrentCUDAStream(source.device().index()));
  made.block(copies);
  const c10::cuda::CUDAStreamGuard guard(copies);
  host.copy_(source, /*non_blocking=*/true);
  source.record_stream(copies.unwrap());  // its memory is not given away before the copy is made
  auto copied = std::make_shared<at::cuda::CUDAEvent>();
  copied->record(copies);
  return [copied] { copied->synchronize(); };
}

class GraphPool {
 public:
  GraphPool() { allocator::createOrIncrefPool(device, id); }
  ~GraphPool() { allocator::releasePool(device, id); }
  GraphPool(const GraphPool&) = delete;
  GraphPool& operator=(const GraphPool&) = delete;

  c10::DeviceIndex device = c10::cuda::current_device();
  c10::MempoolId_t id = at::cuda::graph_pool_handle();
  // The default stream cannot be recorded. One for all recordings: the allocator caches what warm-ups used by stream.
  c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
};

std::shared_ptr<GraphPool> make_graph_pool() { return std::make_shared<GraphPool>(); }

std::function<void()> record(const std::function<void()>& work, const std::shared_ptr<GraphPool>& pool) {
  auto graph = std::make_shared<at::cuda::CUDAGraph>();
  c10::cuda::device_synchronize();
  allocator::emptyCache();  // none of it can be the pool's
  {
    const c10::cuda::CUDAStreamGuard guard(pool->stream);
    {
      // In the pool: the recording finds this memory free again and needs no other.
      allocator::beginAllocateToPool(pool->device, pool->id,
                                     [own = pool->stream.stream()](cudaStream_t stream) { return stream == own; });
      const auto end = c10::make_scope_exit([&] {
        allocator::endAllocateToPool(pool->device, pool->id);
        allocator::releasePool(pool->device, pool->id);
      });
      work();
    }
    c10::cuda::device_synchronize();
    // Threads of NCCL call CUDA at any time; that must not end the recording.
    graph->capture_begin(pool->id, cudaStreamCaptureModeThreadLocal);
    work();
    graph->capture_end();
  }
  c10::cuda::device_synchronize();
  return [graph, pool] { graph->replay(); };
}

std::vector<uint8_t> make_communicator_id() {
  nccl::ncclUniqueId id;
  nccl::get_unique_id(id);
  return {std::begin(id.internal), std::end(id.internal)};
}

namespace {

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(const nccl::ncclUniqueId& id, int rank, int count, c10::DeviceIndex device)
      : device_(device), communicator_(nccl::comm_init_rank(count, id, rank)) {}

  void sum(const at::Tensor& tensor) override {
    std::vector<at::Tensor> outputs = {tensor};
    nccl::all_reduce({tensor}, outputs, static_cast<int32_t>(nccl::ncclRedOp::Sum), {}, {communicator_});
  }

  void exchange(const std::vector<Transfer>& sent, const std::vector<Transfer>& received) override {
    const c10::cuda::CUDAGuard guard(device_);
    const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream(device_);
    const nccl::AutoNcclGroup group;  // one launch at its end: nobody waits for a transfer that is not queued yet
    for (const auto& [peer, tensor] : sent) nccl::send(*tensor, communicator_, stream, peer);
    for (const auto& [peer, tensor] : received) {
      at::Tensor output = *tensor;
      nccl::recv(output, communicator_, stream, peer);
    }
  }

 private:
  c10::DeviceIndex device_;
  // Not destroyed: that waits for processes that may be gone, and the process ends anyway.
  nccl::ncclComm_t communicator_;
};

}  // namespace

std::unique_ptr<Communicator> join_communicator(const std::vector<uint8_t>& id, int rank, int count, int device) {
  // NVLink multicast needs rights that containers often lack, and NCCL fails instead of doing without.
  setenv("NCCL_NVLS_ENABLE", "0", /*replace=*/0);
  const auto index = static_cast<c10::DeviceIndex>(device);
  const c10::cuda::CUDAGuard guard(index);
  nccl::ncclUniqueId unique;
  std::memcpy(unique.internal, id.data(), sizeof(unique.internal));
  return std::make_unique<NcclCommunicator>(unique, rank, count, index);
}

}  // namespace faststar::cuda
