#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include "cli/progress/process.h"
#include "cuda/runtime.h"
#include "support/support.h"

namespace faststar {
namespace {

template <typename Action>
Error reported(Action&& action) {
  try {
    action();
  } catch (...) {
    return current_error();
  }
  FAIL("expected an exception");
  throw std::logic_error("unreachable");
}

}  // namespace

TEST_CASE("each kind of error has its exit code", "[cli]") {
  CHECK(exit_code(ErrorKind::usage) == 2);
  CHECK(exit_code(ErrorKind::input) == 3);
  CHECK(exit_code(ErrorKind::model) == 4);
  CHECK(exit_code(ErrorKind::device) == 5);
  CHECK(exit_code(ErrorKind::device_lost) == 5);
  CHECK(exit_code(ErrorKind::output) == 6);
  CHECK(exit_code(ErrorKind::internal) == 70);
}

TEST_CASE("LibTorch's errors are bugs of ours, in one line without a backtrace", "[cli]") {
  const Error error = reported([] { at::ones({2, 3}).matmul(at::ones({2, 3})); });
  CHECK(error.kind() == ErrorKind::internal);
  const std::string what = error.what();
  CHECK(what.find("shapes cannot be multiplied") != std::string::npos);
  CHECK(what.find('\n') == std::string::npos);
  CHECK_FALSE(error.hint().empty());
}

TEST_CASE("exhausted memory of any kind is a device error with a hint", "[cli]") {
  CHECK(reported([] { at::empty({int64_t{1} << 55}); }).kind() == ErrorKind::device);
  CHECK(reported([] { throw std::bad_alloc(); }).kind() == ErrorKind::device);
  CHECK(reported([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); }).kind() == ErrorKind::device);
}

TEST_CASE("exhausted memory is told in one line, without advice for Python", "[cli]") {
  const Error gpu = reported([] {
    TORCH_CHECK_WITH(OutOfMemoryError, false,
                     "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 1 has a total capacity of 15.77 GiB of which "
                     "310.00 MiB is free. Including non-PyTorch memory, this process has 15.4 GiB memory in use. If "
                     "reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments "
                     "to avoid fragmentation.");
  });
  CHECK(std::string(gpu.what()) == "out of memory on GPU 1: 2.00 GiB more needed, 310.00 MiB of 15.77 GiB free");
  CHECK(std::string(reported([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); }).what()) ==
        "out of memory");
  const Error host = reported([] { at::empty({int64_t{1} << 55}); });
  CHECK(test::says(host, "out of memory: 144115188075855872 bytes more needed"));
}

TEST_CASE("libraries that cannot allocate say so in their own words", "[cli]") {
  const std::string text = GENERATE(as<std::string>{}, "CUDA error: out of memory",
                                    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
                                    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
                                    "GET was unable to find an engine to execute this computation");
  const Error error = reported([&] { TORCH_CHECK(false, text); });
  CHECK(error.kind() == ErrorKind::device);
  CHECK(std::string(error.what()) == "out of memory");
  CHECK(reported([] { throw cuda::Failure("swiglu: out of memory"); }).kind() == ErrorKind::device);
}

TEST_CASE("an error of CUDA that is none of memory is a lost device", "[cli]") {
  CHECK(reported([] { TORCH_CHECK(false, "CUDA error: an illegal memory access was encountered"); }).kind() ==
        ErrorKind::device_lost);
}

TEST_CASE("a refused launch is an error of the device, which is lost where CUDA says so", "[cli]") {
  const Error refused = reported([] { throw cuda::Failure("swiglu: invalid configuration argument"); });
  CHECK(refused.kind() == ErrorKind::device);
  CHECK(std::string(refused.what()) == "swiglu: invalid configuration argument");
  CHECK(reported([] { throw cuda::Failure("swiglu: misaligned address", cuda::Failure::Device::lost); }).kind() ==
        ErrorKind::device_lost);
}

TEST_CASE("other exceptions are bugs of ours", "[cli]") {
  CHECK(reported([] { throw std::out_of_range("map::at"); }).kind() == ErrorKind::internal);
  CHECK(reported([] { throw 7; }).kind() == ErrorKind::internal);
  CHECK(reported([] { fail(ErrorKind::model, "m", "h"); }).hint() == "h");
}

TEST_CASE("a thread that cannot be made is an error of the machine", "[cli]") {
  const auto failed = [](std::errc code) {
    return reported([=] { throw std::system_error(std::make_error_code(code)); });
  };
  CHECK(failed(std::errc::resource_unavailable_try_again).kind() == ErrorKind::device);
  CHECK_FALSE(failed(std::errc::resource_unavailable_try_again).hint().empty());
  CHECK(failed(std::errc::invalid_argument).kind() == ErrorKind::internal);
}

}  // namespace faststar
