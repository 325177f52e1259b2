#include <limits>

#include "cuda/kernels.h"
#include "support/support.h"

// What launchers refuse before they ask CUDA for anything, so that these need no GPU; in builds without CUDA they test
// nothing.
namespace faststar {
namespace {

bool has_kernels() { return *cuda::built_architectures() != '\0'; }

/// An address that nothing reads.
template <typename T>
T* address(uintptr_t value) {
  return reinterpret_cast<T*>(value);
}

}  // namespace

TEST_CASE("a grid beyond CUDA's limits is refused", "[kernels]") {
  if (has_kernels()) {
    constexpr int64_t kMany = int64_t{1} << 40;
    CHECK_THROWS_AS(cuda::rms_norm(nullptr, nullptr, nullptr, kMany, 8, 0, cuda::FloatType::float32, {}),
                    cuda::Failure);
    CHECK_THROWS_AS(cuda::swiglu(nullptr, nullptr, nullptr, kMany, cuda::FloatType::bfloat16, {}), cuda::Failure);
    CHECK_THROWS_AS(cuda::area_mean({.frames = kMany, .rows = 1, .columns = 1}, {}), cuda::Failure);
    CHECK_THROWS_AS(cuda::philox_uniform(nullptr, nullptr, kMany, 4, 0, 0, 0, {}), cuda::Failure);
    const cuda::NormSilu batch{.batch = 65536, .frames = 1, .height = 1, .width = 1, .channels = 32};
    CHECK_THROWS_AS(cuda::norm_silu(batch, cuda::FloatType::float32, {}), cuda::Failure);
  }
}

TEST_CASE("a kernel of nothing is not launched", "[kernels]") {
  if (has_kernels()) {
    CHECK_NOTHROW(cuda::rms_norm(nullptr, nullptr, nullptr, 0, 8, 0, cuda::FloatType::float32, {}));
    CHECK_NOTHROW(cuda::swiglu(nullptr, nullptr, nullptr, 0, cuda::FloatType::bfloat16, {}));
    CHECK_NOTHROW(cuda::rms_norm_gradient({.width = 64}, cuda::FloatType::float32, {}));
    CHECK_NOTHROW(cuda::select_top({}, {}));
  }
}

TEST_CASE("addresses and sizes that a kernel cannot read are refused", "[kernels]") {
  if (has_kernels()) {
    using cuda::FloatType;
    const cuda::NormRope head{.x = address<void>(4), .batch = 1, .tokens = 1, .heads = 1, .head_dim = 64};
    CHECK_THROWS_AS(cuda::norm_rope(head, FloatType::float32, {}), std::invalid_argument);
    const cuda::NormRope wide{.batch = 1, .tokens = 1, .heads = 1, .head_dim = cuda::kMaxNormRopeWidth + 2};
    CHECK_THROWS_AS(cuda::norm_rope(wide, FloatType::float32, {}), std::invalid_argument);
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
