#include "core/lab/metrics/psnr.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/lab/metrics/sample_frames.h"
#include "support/support.h"

namespace faststar {
namespace {

// The frame's expected number is scikit-image 0.26's peak_signal_noise_ratio.
TEST_CASE("the PSNR of a frame is scikit-image's", "[metrics]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor a = test::patterned_frame(0).to(device);
  CHECK(psnr(frame_mse(a, test::patterned_frame(1).to(device)).item<double>()) == Approx(20.5892139670).epsilon(1e-9));
  CHECK(psnr(frame_mse(a, test::patterned_frame(9).to(device)).item<double>()) == Approx(12.0543338158).epsilon(1e-9));
}

TEST_CASE("the error of 8-bit frames is exact, and that of floating-point frames the same", "[metrics]") {
  const Tensor black = at::zeros({2, 3, 5, 3}, at::kByte);
  const Tensor white = at::full({2, 3, 5, 3}, 255, at::kByte);
  Tensor one_off = black.clone();
  one_off[1][2][4][0] = 3;
  CHECK(test::same(frame_mse(black, white), at::full({2}, 65025, at::kDouble)));
  CHECK(test::same(frame_mse(black, one_off), at::tensor({0., 9. / 45}, at::kDouble)));
  CHECK(test::same(frame_mse(black.to(at::kFloat), one_off.to(at::kFloat)), frame_mse(black, one_off)));
}

TEST_CASE("identical frames are counted, enter the pooled PSNR as no error, and are never averaged", "[metrics]") {
  const PsnrSummary summary = summarize_psnr({0, 65025. / 10, 65025. / 1000, 0});
  CHECK(summary.frames == 4);
  CHECK(summary.identical_frames == 2);
  CHECK(*summary.mean == Approx(20));  // of 10 dB and 30 dB
  CHECK(*summary.pooled == Approx(10 * std::log10(4 / 0.101)));
}

TEST_CASE("a PSNR without any difference has no number", "[metrics]") {
  const PsnrSummary summary = summarize_psnr({0, 0});
  CHECK(summary.identical_frames == 2);
  CHECK_FALSE(summary.mean);
  CHECK_FALSE(summary.pooled);
}

TEST_CASE("frames of two sizes have no PSNR", "[metrics]") {
  const Error error = test::error_of([] { frame_mse(test::patterned_frame(0, 8, 8), test::patterned_frame(0, 8, 9)); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(error.what() == std::string("PSNR: expected two sets of frames of one shape [F, H, W, C], got [1, 8, 8, 3] "
                                    "and [1, 8, 9, 3]"));
}

}  // namespace
}  // namespace faststar
