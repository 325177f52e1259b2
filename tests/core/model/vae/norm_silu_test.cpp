#include "core/model/vae/norm_silu.h"

#include <ATen/ATen.h>

#include "support/gradients.h"
#include "support/support.h"

namespace faststar {
namespace {

double silu(double value) { return value / (1 + std::exp(-value)); }

TEST_CASE("norm_silu scales channels to length sqrt(C) and puts the first frame before itself", "[vae][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  Tensor x = at::zeros({1, 1, 1, 1, 8});
  x[0][0][0][0][0] = 3;
  x[0][0][0][0][1] = -4;
  Tensor gamma = at::ones({8});
  gamma[1] = 2;
  const Tensor extended = norm_silu(x.to(device), gamma.to(device), std::nullopt, {}).cpu();
  REQUIRE(extended.sizes() == at::IntArrayRef{1, 3, 1, 1, 8});
  for (int64_t frame = 0; frame < 3; ++frame) {
    CHECK(extended[0][frame][0][0][0].item<double>() == Approx(silu(0.6 * std::sqrt(8.0))));
    CHECK(extended[0][frame][0][0][1].item<double>() == Approx(silu(-0.8 * std::sqrt(8.0) * 2)));
    CHECK(extended[0][frame][0][0][2].item<double>() == 0);
  }
}

/// Frame and latent that speaks for it, read off the result: the offset is the latent's number, the factor zero.
std::vector<double> latents_of_frames(at::Device device, int64_t frames, int64_t latents, const Tensor& before) {
  const Tensor x = at::ones({1, frames, 1, 1, 8}, device);
  const Tensor number = at::arange(latents, at::TensorOptions(device).dtype(at::kFloat)) * 10;
  const Tensor offset = number.view({1, latents, 1, 1, 1}).expand({1, latents, 1, 1, 8}).contiguous();
  const Modulation modulation{at::zeros_like(offset), offset};
  const Tensor extended = norm_silu(x, at::ones({8}, device), modulation, before).cpu();
  std::vector<double> spoken;
  for (int64_t frame = 0; frame < frames; ++frame) {
    spoken.push_back(std::round(extended[0][frame + 2][0][0][0].item<double>() / 10));
  }
  return spoken;
}

TEST_CASE("at the video's start the first latent speaks for the first frame alone", "[vae][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor before = at::zeros({1, 2, 1, 1, 8}, device);
  CHECK(latents_of_frames(device, 5, 3, {}) == std::vector<double>{0, 1, 1, 2, 2});
  CHECK(latents_of_frames(device, 1, 1, {}) == std::vector<double>{0});
  CHECK(latents_of_frames(device, 4, 2, before) == std::vector<double>{0, 0, 1, 1});
}

struct Case {
  int64_t channels, latents, period, side, height, width, batch;
};

/// What the op reads, for a case; modulation and `before` as the case has them.
struct Inputs {
  Tensor x, gamma;
  std::optional<Modulation> modulation;
  Tensor before;

  /// Those that the op can be differentiated by, and back.
  std::vector<Tensor> all() const {
    std::vector<Tensor> tensors = {x, gamma};
    if (modulation) tensors.insert(tensors.end(), {modulation->factor, modulation->offset});
    if (before.defined()) tensors.push_back(before);
    return tensors;
  }
  Inputs with(const std::vector<Tensor>& tensors) const {
    Inputs inputs{tensors[0], tensors[1], std::nullopt, before.defined() ? tensors.back() : Tensor()};
    if (modulation) inputs.modulation = Modulation{tensors[2], tensors[3]};
    return inputs;
  }
};

Inputs make_inputs(const Case& c, bool at_start, bool steered, at::Device device, at::ScalarType dtype) {
  const int64_t T = at_start ? 1 + c.period * (c.latents - 1) : c.period * c.latents;
  const int64_t H = c.height * c.side, W = c.width * c.side;
  const auto latents = [&](uint64_t seed) {
    return test::seeded_randn({c.batch, c.latents, c.height, c.width, c.channels}, seed, device, dtype);
  };
  Inputs inputs{.x = test::seeded_randn({c.batch, T, H, W, c.channels}, 1, device, dtype) * 3,
                .gamma = test::seeded_randn({c.channels}, 2, device)};
  if (steered) inputs.modulation = Modulation{latents(3), latents(4)};
  if (!at_start) inputs.before = test::seeded_randn({c.batch, 2, H, W, c.channels}, 5, device, dtype);
  return inputs;
}

Case odd_case() {
  return GENERATE(Case{384, 2, 1, 1, 9, 16, 1}, Case{192, 2, 2, 4, 3, 5, 1}, Case{96, 2, 4, 8, 3, 7, 1},
                  Case{16, 1, 4, 2, 5, 3, 2}, Case{8, 3, 1, 2, 1, 1, 2}, Case{24, 2, 2, 1, 4, 300, 1},
                  Case{7, 2, 2, 2, 3, 3, 1}, Case{1024, 1, 1, 1, 2, 3, 1}, Case{16, 3, 4, 8, 2, 3, 3},
                  Case{64, 3, 2, 1, 3, 5, 2});
}

TEST_CASE("norm_silu agrees with the reference", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const Case c = odd_case();
  const bool at_start = GENERATE(true, false);
  const bool steered = GENERATE(true, false);
  CAPTURE(device, dtype, c.channels, at_start, steered);
  const Inputs in = make_inputs(c, at_start, steered, device, dtype);
  in.x.select(3, 0).zero_();  // pixels without length
  CHECK(test::relative_error(norm_silu(in.x, in.gamma, in.modulation, in.before),
                             reference::norm_silu(in.x, in.gamma, in.modulation, in.before)) <
        test::tolerance_of(dtype) / 4);
}

TEST_CASE("the norm of a sum is that of its total, and the sum is kept", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const Case c = odd_case();
  const bool at_start = GENERATE(true, false);
  const auto added = GENERATE(1, 2, 3);  // bias, residual or both
  CAPTURE(device, dtype, c.channels, at_start, added);
  const Inputs in = make_inputs(c, at_start, true, device, dtype);
  const Tensor bias = added & 1 ? test::seeded_randn({c.channels}, 6, device, dtype) : Tensor();
  const Tensor residual = added & 2 ? test::seeded_randn(in.x.sizes(), 7, device, dtype) : Tensor();
  const DeferredSum x{in.x, bias, residual};
  const NormedSum result = norm_silu_of_sum(x, in.gamma, in.modulation, in.before, KeepSum::yes);
  CHECK(test::relative_error(result.sum, x.total()) < test::tolerance_of(dtype) / 4);
  CHECK(test::relative_error(result.extended, reference::norm_silu(x.total(), in.gamma, in.modulation, in.before)) <
        test::tolerance_of(dtype) / 4);
  const NormedSum alone = norm_silu_of_sum(x, in.gamma, in.modulation, in.before, KeepSum::no);
  CHECK_FALSE(alone.sum.defined());
  CHECK(test::same(alone.extended, result.extended));
}

TEST_CASE("gradients reach what a sum is made of", "[vae][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const std::vector<Tensor> parts = {test::seeded_randn({1, 3, 4, 5, 8}, 1, device), test::seeded_randn({8}, 2, device),
                                     test::seeded_randn({1, 3, 4, 5, 8}, 3, device), at::ones({8}, device)};
  const auto of_sum = [](const std::vector<Tensor>& p) {
    return norm_silu_of_sum({p[0], p[1], p[2]}, p[3], std::nullopt, {}, KeepSum::no).extended;
  };
  const auto of_total = [](const std::vector<Tensor>& p) {
    return reference::norm_silu(p[0] + p[1] + p[2], p[3], std::nullopt, {});
  };
  CHECK(test::gradient_error(of_sum, of_total, parts) < 1e-5);
}

TEST_CASE("gradients of norm_silu agree with those of the reference", "[vae][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const Case c = odd_case();
  const bool at_start = GENERATE(true, false);
  const bool steered = GENERATE(true, false);
  CAPTURE(device, dtype, c.channels, c.batch, at_start, steered);
  const Inputs inputs = make_inputs(c, at_start, steered, device, dtype);
  const auto differentiable = [&](auto&& op) {
    return [&inputs, op](const std::vector<Tensor>& tensors) {
      const Inputs in = inputs.with(tensors);
      return op(in.x, in.gamma, in.modulation, in.before);
    };
  };
  CHECK(test::gradient_error(differentiable(norm_silu), differentiable(reference::norm_silu), inputs.all()) <
        test::tolerance_of(dtype));
}

TEST_CASE("a pixel without length gets a finite gradient", "[vae][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto gradients = test::gradients_of(
      [](const std::vector<Tensor>& tensors) { return norm_silu(tensors[0], tensors[1], std::nullopt, {}); },
      {at::zeros({1, 2, 3, 3, 8}, device), at::ones({8}, device)});
  CHECK(gradients[0].isfinite().all().item<bool>());
  CHECK(gradients[1].abs().max().item<double>() == 0);
}

TEST_CASE("norm_silu takes tensors that are not contiguous or not aligned", "[vae][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = test::seeded_randn({1, 4, 3, 5, 17}, 1, device).narrow(4, 1, 16);
  const Tensor gamma = test::seeded_randn({17}, 2, device).narrow(0, 1, 16);
  CHECK(test::relative_error(norm_silu(x, gamma, std::nullopt, {}),
                             reference::norm_silu(x.clone(), gamma.clone(), std::nullopt, {})) < 1e-5);
}

TEST_CASE("norm_silu refuses shapes that disagree", "[vae]") {
  const Tensor x = at::zeros({1, 4, 6, 6, 8});
  const Tensor gamma = at::ones({8});
  const auto latents = [](int64_t n, int64_t h, int64_t w) {
    return Modulation{at::zeros({1, n, h, w, 8}), at::zeros({1, n, h, w, 8})};
  };
  CHECK_THROWS_AS(norm_silu(x, at::ones({7}), std::nullopt, {}), c10::Error);
  CHECK_THROWS_AS(norm_silu(x, gamma, std::nullopt, at::zeros({1, 1, 6, 6, 8})), c10::Error);
  CHECK_THROWS_AS(norm_silu(x, gamma, latents(3, 3, 3), {}), c10::Error);
  CHECK_THROWS_AS(norm_silu(x, gamma, latents(4, 4, 3), {}), c10::Error);
  CHECK_THROWS_AS(norm_silu(x, gamma, latents(4, 2, 3), {}), c10::Error);
}

}  // namespace
}  // namespace faststar
