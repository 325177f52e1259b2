#include "core/lab/metrics/ssim.h"

#include <ATen/ATen.h>

#include "core/lab/metrics/sample_frames.h"
#include "support/support.h"

namespace faststar {
namespace {

// Expected numbers from scikit-image 0.26 on the same uint8 arrays:
//   skimage.metrics.structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
//                                         data_range=255, channel_axis=-1)
TEST_CASE("the SSIM of a frame is scikit-image's", "[metrics]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor a = test::patterned_frame(0).to(device);
  const Tensor others = at::cat({test::patterned_frame(1), test::patterned_frame(9)}).to(device);
  const Tensor ssim = frame_ssim(at::cat({a, a}), others);
  CHECK(ssim[0].item<double>() == Approx(0.9413299201).margin(1e-6));
  CHECK(ssim[1].item<double>() == Approx(0.5712279746).margin(1e-6));
}

TEST_CASE("equal frames have SSIM 1, whichever they are", "[metrics]") {
  const Tensor plain = at::full({1, 11, 11, 3}, 255, at::kByte);
  CHECK(frame_ssim(plain, plain).item<double>() == Approx(1).epsilon(1e-12));
  const Tensor frame = test::patterned_frame(3);
  CHECK(frame_ssim(frame, frame).item<double>() == Approx(1).epsilon(1e-6));
}

// (2ab + C1) / (aa + bb + C1) with C1 = 6.5025 and no structure.
TEST_CASE("the SSIM of two plain frames is that of their levels", "[metrics]") {
  const Tensor a = at::full({1, 16, 12, 3}, 100, at::kByte), b = at::full({1, 16, 12, 3}, 120, at::kByte);
  CHECK(frame_ssim(a, b).item<double>() == Approx(24006.5025 / 24406.5025).epsilon(1e-5));
}

TEST_CASE("a frame smaller than the window has no SSIM", "[metrics]") {
  const Tensor frame = test::patterned_frame(0, 40, 10);
  const Error error = test::error_of([&] { frame_ssim(frame, frame); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(error.what() == std::string("SSIM: expected frames of at least 11x11 pixels, got 10x40"));
}

}  // namespace
}  // namespace faststar
