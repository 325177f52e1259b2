#include "core/base/host_copy.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

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

}  // namespace
}  // namespace faststar
