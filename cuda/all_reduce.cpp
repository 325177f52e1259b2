#include "cuda/all_reduce.h"

#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/cuda/nccl.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace faststar::cuda {
namespace nccl = torch::cuda::nccl;

std::vector<uint8_t> make_communicator_id() {
  nccl::ncclUniqueId id;
  nccl::get_unique_id(id);
  return {std::begin(id.internal), std::end(id.internal)};
}

AllReduce join_communicator(const std::vector<uint8_t>& id, int rank, int count, int device) {
  // NVLink multicast needs rights that containers often lack, and NCCL fails instead of doing without.
  setenv("NCCL_NVLS_ENABLE", "0", /*replace=*/0);
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  nccl::ncclUniqueId unique;
  std::memcpy(unique.internal, id.data(), sizeof(unique.internal));
  // Not destroyed: that waits for processes that may be gone, and the process ends anyway.
  const nccl::ncclComm_t communicator = nccl::comm_init_rank(count, unique, rank);
  return [communicator](const at::Tensor& tensor) {
    std::vector<at::Tensor> outputs = {tensor};
    nccl::all_reduce({tensor}, outputs, static_cast<int32_t>(nccl::ncclRedOp::Sum), {}, {communicator});
  };
}

}  // namespace faststar::cuda
