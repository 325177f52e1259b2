#include "cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace faststar::cuda {
namespace {

constexpr int kWarmUps = 1;

}  // namespace

class GraphPool {
 public:
  c10::MempoolId_t id = at::cuda::graph_pool_handle();
  // The default stream cannot be recorded. One for all recordings: the allocator caches what warm-ups used by stream.
  c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
};

std::shared_ptr<GraphPool> make_graph_pool() { return std::make_shared<GraphPool>(); }

std::function<void()> record(const std::function<void()>& work, const std::shared_ptr<GraphPool>& pool) {
  auto graph = std::make_shared<at::cuda::CUDAGraph>();
  c10::cuda::device_synchronize();
  {
    const c10::cuda::CUDAStreamGuard guard(pool->stream);
    for (int i = 0; i < kWarmUps; ++i) work();
    c10::cuda::device_synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();  // what the warm-ups used is not the graph's
    graph->capture_begin(pool->id);
    work();
    graph->capture_end();
  }
  c10::cuda::device_synchronize();
  return [graph, pool] { graph->replay(); };
}

}  // namespace faststar::cuda
