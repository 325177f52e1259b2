#include "cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace faststar::cuda {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

}  // namespace

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

namespace {

/// While it lives, what the pool's stream allocates comes from the pool.
class AllocatesFromPool {
 public:
  explicit AllocatesFromPool(const GraphPool& pool) : pool_(pool) {
    allocator::beginAllocateToPool(pool.device, pool.id,
                                   [own = pool.stream.stream()](cudaStream_t stream) { return stream == own; });
  }
  ~AllocatesFromPool() {
    allocator::endAllocateToPool(pool_.device, pool_.id);
    allocator::releasePool(pool_.device, pool_.id);
  }
  AllocatesFromPool(const AllocatesFromPool&) = delete;
  AllocatesFromPool& operator=(const AllocatesFromPool&) = delete;

 private:
  const GraphPool& pool_;
};

}  // namespace

std::shared_ptr<GraphPool> make_graph_pool() { return std::make_shared<GraphPool>(); }

std::function<void()> record(const std::function<void()>& work, const std::shared_ptr<GraphPool>& pool) {
  auto graph = std::make_shared<at::cuda::CUDAGraph>();
  c10::cuda::device_synchronize();
  allocator::emptyCache();  // none of it can be the pool's
  {
    const c10::cuda::CUDAStreamGuard guard(pool->stream);
    {
      // In the pool: the recording finds this memory free again and needs no other.
      const AllocatesFromPool scope(*pool);
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

}  // namespace faststar::cuda
