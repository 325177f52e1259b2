#include "core/lab/metrics/fidelity.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/lab/metrics/sample_frames.h"
#include "support/support.h"

namespace faststar {
namespace {

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
