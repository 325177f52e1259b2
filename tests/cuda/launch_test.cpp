#include <ATen/ATen.h>

#include <limits>

#include "core/base/device.h"
#include "core/model/layers.h"
#include "core/model/star/rope.h"
#include "cuda/kernels.h"
#include "support/support.h"

namespace faststar {
namespace {

/// The same numbers one element off the address of an allocation.
Tensor shifted(const Tensor& tensor) {
  const Tensor longer = at::empty({tensor.numel() + 1}, tensor.options());
  return longer.narrow(0, 1, tensor.numel()).view(tensor.sizes()).copy_(tensor);
}

/// What launchers refuse before they ask CUDA for anything is tested in builds with CUDA, with or without a GPU.
bool has_kernels() { return *cuda::built_architectures() != '\0'; }

/// An address that nothing reads.
template <typename T>
T* address(uintptr_t value) {
  return reinterpret_cast<T*>(value);
}

}  // namespace

TEST_CASE("operands at odd addresses give the same numbers", "[kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(8, 64, 254);
  CAPTURE(device, dtype, width);
  const double tolerance = test::tolerance_of(dtype) / 4;
  const Tensor x = shifted(test::seeded_randn({1, 33, 3, width}, 1, device, dtype));
  const Tensor branch = shifted(test::seeded_randn({1, 33, 3, width}, 2, device, dtype));
  const Tensor weight = shifted(test::seeded_randn({width}, 3, device));
  const Tensor angle = test::seeded_randn({33, width / 2}, 4, device);
  const Rope rope{shifted(angle.cos()), shifted(angle.sin())};
  CHECK(test::relative_error(swiglu(x), reference::swiglu(x)) < tolerance);
  CHECK(test::relative_error(rms_norm(x, weight, 1e-6), reference::rms_norm(x, weight, 1e-6)) < tolerance);
  CHECK(test::relative_error(add_rms_norm(x, branch, weight, 1e-6).normed.values,
                             reference::rms_norm(x + branch, weight, 1e-6)) < tolerance);
  CHECK(test::relative_error(norm_rope(x, weight, 1e-6, rope), reference::norm_rope(x, weight, 1e-6, rope)) <
        tolerance);
}

TEST_CASE("a kernel runs on the GPU of its operands, whichever is current", "[kernels]") {
  const auto gpus = static_cast<c10::DeviceIndex>(cuda::list_gpus().gpus.size());
  for (c10::DeviceIndex index = 0; index < gpus; ++index) {  // the last one is not current when there are two
    const at::Device device(at::kCUDA, index);
    const Tensor x = test::seeded_randn({33, 64}, 1, device), weight = test::seeded_randn({64}, 2, device);
    CHECK(test::relative_error(rms_norm(x, weight, 1e-6), reference::rms_norm(x, weight, 1e-6)) < 1e-5);
    CHECK_THROWS_AS(kernel_stream({x, weight.to(at::Device(at::kCUDA, index == 0 ? gpus - 1 : 0)), weight.cpu()}),
                    c10::Error);
  }
}

TEST_CASE("a grid beyond CUDA's limits is refused", "[kernels]") {
  if (has_kernels()) {
    constexpr int64_t kMany = int64_t{1} << 44;  // also as vectors of 16 bytes
    CHECK_THROWS_AS(cuda::rms_norm({.rows = kMany, .width = 8}, cuda::FloatType::float32, {}), cuda::Failure);
    CHECK_THROWS_AS(cuda::swiglu(nullptr, nullptr, kMany, 8, cuda::FloatType::bfloat16, {}), cuda::Failure);
    CHECK_THROWS_AS(cuda::area_mean({.frames = kMany, .rows = 1, .columns = 1}, {}), cuda::Failure);
    CHECK_THROWS_AS(cuda::philox_uniform(nullptr, nullptr, kMany, 4, 0, 0, 0, {}), cuda::Failure);
    const cuda::NormSilu batch{.batch = 65536, .frames = 1, .height = 1, .width = 1, .channels = 32};
    CHECK_THROWS_AS(cuda::norm_silu(batch, cuda::FloatType::float32, {}), cuda::Failure);
  }
}

TEST_CASE("a kernel of nothing is not launched", "[kernels]") {
  if (has_kernels()) {
    CHECK_NOTHROW(cuda::rms_norm({.width = 8}, cuda::FloatType::float32, {}));
    CHECK_NOTHROW(cuda::swiglu(nullptr, nullptr, 0, 8, cuda::FloatType::bfloat16, {}));
    CHECK_NOTHROW(cuda::rms_norm_gradient({.width = 64}, cuda::FloatType::float32, {}));
    CHECK_NOTHROW(cuda::select_top({}, {}));
  }
}

TEST_CASE("addresses and sizes that a kernel cannot read are refused", "[kernels]") {
  if (has_kernels()) {
    using cuda::FloatType;
    const cuda::SplitQkv head{.x = address<void>(4), .batch = 1, .tokens = 1, .q_heads = 1, .head_dim = 64};
    CHECK_THROWS_AS(cuda::split_qkv(head, FloatType::float32, {}), std::invalid_argument);
    const cuda::SplitQkv wide{.batch = 1, .tokens = 1, .q_heads = 1, .head_dim = cuda::kMaxSplitQkvWidth + 2};
    CHECK_THROWS_AS(cuda::split_qkv(wide, FloatType::float32, {}), std::invalid_argument);
    CHECK_THROWS_AS(
        cuda::rms_norm_gradient({.grad_out = address<void>(2), .rows = 1, .width = 64}, FloatType::bfloat16, {}),
        std::invalid_argument);
    CHECK_THROWS_AS(cuda::rms_norm_gradient({.rows = 1, .width = 63}, FloatType::bfloat16, {}), std::invalid_argument);
    CHECK_THROWS_AS(cuda::philox_uniform(address<float>(4), nullptr, 1, 4, 0, 0, 0, {}), std::invalid_argument);
    CHECK_THROWS_AS(cuda::similarity_score({.frames = 1, .positions_per_frame = 1}, {}), std::invalid_argument);
    const cuda::NormSilu odd{.x = address<void>(8), .batch = 1, .frames = 1, .height = 1, .width = 1, .channels = 32};
    CHECK_THROWS_AS(cuda::norm_silu(odd, FloatType::float32, {}), std::invalid_argument);
    const cuda::NormSilu narrow{.batch = 1, .frames = 1, .height = 1, .width = 1, .channels = 30};
    CHECK_THROWS_AS(cuda::norm_silu(narrow, FloatType::float32, {}), std::invalid_argument);
    CHECK_THROWS_AS(cuda::select_top({.workspace = address<void>(16), .count = 1}, {}), std::invalid_argument);
    CHECK_THROWS_AS(cuda::select_top({.count = std::numeric_limits<int64_t>::max()}, {}), std::invalid_argument);
  }
}

}  // namespace faststar
