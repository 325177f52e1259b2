#include "core/model/layers.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "support/gradients.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("rms_norm divides by the root mean square", "[layers][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = at::tensor({3.0f, 4.0f, 0.0f, 0.0f}).view({1, 4}).to(device);
  const Tensor expected = at::tensor({1.2f, 3.2f, 0.0f, 0.0f}).view({1, 4});
  CHECK(test::relative_error(rms_norm(x, at::tensor({1.0f, 2.0f, 1.0f, 1.0f}).to(device), 0.0), expected) < 1e-6);
}

TEST_CASE("rms_norm agrees with the reference", "[layers][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(1, 7, 64, 96, 257, 2048, 4096, 20000);
  const int64_t rows = GENERATE(0, 1, 33);
  CAPTURE(device, width, rows);
  const Tensor x = test::seeded_randn({rows, width}, 1, device, dtype) * 3;
  const Tensor weight = test::seeded_randn({width}, 2, device);
  CHECK(test::relative_error(rms_norm(x, weight, 1e-6), reference::rms_norm(x, weight, 1e-6)) <
        test::tolerance_of(dtype) / 4);
}

TEST_CASE("linear_product is x W^T + b, whoever multiplies", "[layers]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t rows = GENERATE(0, 1, 3, 65, 700);
  const auto [in, out] = GENERATE(std::pair(1, 1), std::pair(7, 5), std::pair(96, 33), std::pair(256, 1024));
  const auto kernels = GENERATE(Kernels::automatic, Kernels::reference);
  CAPTURE(device, rows, in, out);
  const BackendScope scope(kernels);
  const Tensor x = test::seeded_randn({2, rows, in + 3}, 1, device, dtype).narrow(2, 1, in);  // rows lie apart
  const Tensor weight = test::seeded_randn({out, in}, 2, device, dtype);
  const Tensor bias = test::seeded_randn({out}, 3, device, dtype);
  const auto exact = [](const Tensor& t) { return t.to(at::kCPU, at::kDouble); };
  const Tensor product = at::matmul(exact(x), exact(weight).t());
  CHECK(test::relative_error(linear_product(x, weight), product) < test::tolerance_of(dtype));
  CHECK(test::relative_error(linear_product(x, weight, bias), product + exact(bias)) < test::tolerance_of(dtype));
}

TEST_CASE("add_rms_norm agrees with the sum and its norm", "[layers][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(1, 7, 64, 257, 4096, 20000);
  const int64_t rows = GENERATE(0, 1, 33);
  CAPTURE(device, width, rows);
  const Tensor x = test::seeded_randn({rows, width}, 1, device, dtype) * 3;
  const Tensor branch = test::seeded_randn({rows, width}, 3, device, dtype);
  const Tensor weight = test::seeded_randn({width}, 2, device);
  const auto [sum, normed] = add_rms_norm(x, branch, weight, 1e-6);
  CHECK(test::same(sum, x + branch));
  CHECK(test::relative_error(normed.values, reference::rms_norm(x + branch, weight, 1e-6)) <
        test::tolerance_of(dtype) / 4);
}

TEST_CASE("a float32 stream stays float32 when a bfloat16 branch is added", "[layers][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = test::seeded_randn({3, 64}, 1, device),
               branch = test::seeded_randn({3, 64}, 2, device, at::kBFloat16);
  const auto [sum, normed] = add_rms_norm(x, branch, at::ones({64}).to(device), 1e-6);
  CHECK(sum.scalar_type() == at::kFloat);
  CHECK(test::same(sum, x + branch));
}

TEST_CASE("gradients of rms_norm agree with those of the reference", "[layers][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(1, 2, 7, 64, 96, 258, 1024, 2048);
  const int64_t rows = GENERATE(1, 33, 9000);
  if (rows * width > 1000000) return;
  CAPTURE(device, width, rows);
  CHECK(test::gradient_error([](const std::vector<Tensor>& in) { return rms_norm(in[0], in[1], 1e-6); },
                             [](const std::vector<Tensor>& in) { return reference::rms_norm(in[0], in[1], 1e-6); },
                             {test::seeded_randn({rows, width}, 1, device, dtype) * 3,
                              test::seeded_randn({width}, 2, device)}) < test::tolerance_of(dtype));
}

}  // namespace
}  // namespace faststar
