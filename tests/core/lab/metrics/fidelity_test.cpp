#include "core/lab/metrics/fidelity.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

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

TEST_CASE("a video's fidelity has the contract's keys, and null where there is no number", "[metrics]") {
  const Tensor a = at::cat({test::patterned_frame(0), test::patterned_frame(0)});
  const Tensor b = at::cat({test::patterned_frame(0), test::patterned_frame(1)});
  const auto json = nlohmann::json::parse(to_json(summarize_fidelity(measure_fidelity(a, b, nullptr))));
  CHECK(json.size() == 6);
  CHECK(json.at("frames") == 2);
  CHECK(json.at("identical_frames") == 1);
  CHECK(json.at("psnr_mean").get<double>() == Approx(20.5892139670));
  CHECK(json.at("psnr_pooled").get<double>() == Approx(20.5892139670 + 10 * std::log10(2)));
  CHECK(json.at("ssim_mean").get<double>() == Approx((1 + 0.9413299201) / 2));
  CHECK(json.at("lpips_mean").is_null());

  const auto same = nlohmann::json::parse(to_json(summarize_fidelity(measure_fidelity(a, a, nullptr))));
  CHECK(same.at("psnr_pooled").is_null());
  CHECK(same.at("psnr_mean").is_null());
  CHECK(same.at("identical_frames") == 2);
}

}  // namespace
}  // namespace faststar
