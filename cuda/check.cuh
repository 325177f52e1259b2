#pragma once
#include <cuda_runtime.h>

#include <string>

#include "cuda/runtime.h"

namespace faststar::cuda {

/// True for errors after which the process cannot use the device any more, by CUDA's documentation.
inline bool loses_device(cudaError_t error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorExternalDevice: return true;
    default: return false;
  }
}

/// Throws Failure naming `what` unless the call succeeded.
inline void check(cudaError_t error, const std::string& what) {
  if (error == cudaSuccess) return;
  throw Failure(what + ": " + cudaGetErrorString(error),
                loses_device(error) ? Failure::Device::lost : Failure::Device::usable);
}

}  // namespace faststar::cuda
