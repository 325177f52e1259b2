#pragma once
// Recorded GPU work. Defined only in CUDA builds.
#include <functional>
#include <memory>

namespace faststar::cuda {

/// Memory of the current GPU that recordings share which never run at the same time. The one that needs most should
/// come first: the others then fit into what it leaves.
class GraphPool;
std::shared_ptr<GraphPool> make_graph_pool();

/// Runs `work` once, so that libraries choose their kernels and allocate, then records its GPU work as one
/// CUDA graph: replayed, its kernels no longer wait for the CPU to launch them. Everything that `work` reads and
/// writes must keep its address, and it may not wait for the GPU. Returns what replays it on the current stream.
/// Throws c10::Error when the work cannot be recorded.
std::function<void()> record(const std::function<void()>& work, const std::shared_ptr<GraphPool>& pool);

}  // namespace faststar::cuda
