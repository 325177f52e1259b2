#pragma once
// Sums over GPUs of several processes, through LibTorch's NCCL. Defined only in CUDA builds.
#include <cstdint>
#include <functional>
#include <vector>

namespace at {
class Tensor;
}

namespace faststar::cuda {

/// What the processes of one communicator have to share: one makes it, all join with it.
std::vector<uint8_t> make_communicator_id();

/// Replaces a contiguous tensor on this process's GPU by the sum over all processes, the same bits in each. Queued on
/// the current stream; every process has to call it equally often.
using AllReduce = std::function<void(const at::Tensor&)>;

/// Joins `count` processes as number `rank` with GPU `device`; waits until all are there. Throws c10::Error.
AllReduce join_communicator(const std::vector<uint8_t>& id, int rank, int count, int device);

}  // namespace faststar::cuda
