#include "core/base/device.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {

TEST_CASE("an architecture with a suffix runs on its own chip, others on later ones of their major version",
          "[device]") {
  CHECK(runs_on("90a", 90));
  CHECK_FALSE(runs_on("90a", 91));
  CHECK_FALSE(runs_on("90a-real", 91));
  CHECK(runs_on("89,90a,100,120", 89));
  CHECK(runs_on("89,90a,100,120", 103));
  CHECK(runs_on("89,90a,100,120", 121));
  CHECK_FALSE(runs_on("89,90a,100,120", 86));
  CHECK_FALSE(runs_on("89,90a,100,120", 110));
  CHECK_FALSE(runs_on("", 90));
}

TEST_CASE("an operand of a kernel is contiguous and aligned to 16 bytes", "[device]") {
  const Tensor values = at::arange(24, at::kFloat);
  const auto aligned = [](const Tensor& tensor) {
    return reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 16 == 0;
  };
  const Tensor shifted = kernel_operand(values.narrow(0, 1, 20));
  CHECK(aligned(shifted));
  CHECK(at::equal(shifted, values.narrow(0, 1, 20)));
  const Tensor turned = kernel_operand(values.view({4, 6}).t());
  CHECK(turned.is_contiguous());
  CHECK(at::equal(turned, values.view({4, 6}).t()));
  CHECK(kernel_operand(values).const_data_ptr() == values.const_data_ptr());
  CHECK_FALSE(kernel_operand(Tensor()).defined());
}

TEST_CASE("a kernel is not launched on operands that it cannot read", "[device][kernels]") {
  const Tensor values = at::ones({4, 6});
  CHECK_THROWS_AS(kernel_stream({values}), c10::Error);
  for (const at::Device& device : test::test_devices()) {
    CHECK_THROWS_AS(kernel_stream({values.to(device).t()}), c10::Error);
    CHECK_THROWS_AS(kernel_stream({values.to(device), values}), c10::Error);
    CHECK_THROWS_AS(kernel_stream({values.to(device), Tensor(), values.to(device).t()}), c10::Error);
    if (device.is_cuda()) CHECK(kernel_stream({values.to(device), Tensor()}).device == device.index());
  }
  CHECK_THROWS_AS(kernel_stream({Tensor()}), c10::Error);
}

TEST_CASE("a host copy holds the source as it was when the copy was queued", "[device]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor expected = test::seeded_randn({64, 1000}, 1).t().contiguous();
  Tensor source = expected.to(device).t();  // not contiguous
  const HostCopy copy(source);
  source = Tensor();                                // the copy keeps what it needs,
  const Tensor other = at::zeros({64000}, device);  // also when its memory is free for others
  CHECK(test::same(copy.get(), expected.t()));
  CHECK(copy.get().is_contiguous());
  CHECK(copy.get().is_cpu());
}

TEST_CASE("copies to the host do not wait for each other's use", "[device]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  std::vector<HostCopy> copies;
  for (int i = 0; i < 5; ++i) copies.emplace_back(at::full({100, 100}, i, device) * 2);
  for (int i = 0; i < 5; ++i) CHECK(copies[static_cast<size_t>(i)].get().eq(2 * i).all().item<bool>());
}

}  // namespace faststar
