#include "core/lab/study/feature_spectrum.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

/// cos(2 pi frequency x) over the columns of a map.
Tensor wave(double frequency, at::Device device) {
  const Tensor row = (at::arange(16, at::kFloat) * (2 * M_PI * frequency)).cos();
  return row.expand({1, 2, 3, 8, 16}).contiguous().to(device);
}

TEST_CASE("high frequencies are those above half of Nyquist", "[study]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  CHECK(high_frequency_share(wave(1. / 8, device)) == Approx(0).margin(1e-6));
  CHECK(high_frequency_share(wave(3. / 8, device)) == Approx(1));
  CHECK(high_frequency_share(wave(1. / 8, device) + 2 * wave(3. / 8, device) + 5) == Approx(0.8));
  CHECK(high_frequency_share(at::ones({1, 2, 3, 8, 16})) == 0);
}

}  // namespace
}  // namespace faststar
