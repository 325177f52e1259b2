#include "core/lab/train/star_loss.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("a feature has what covers it in its own frames and in those of the latent before", "[train]") {
  const at::Device device = GENERATE(from_range(test::test_devices()));
  Tensor coverage = at::zeros({2, 1, 13, 32, 48}, device);
  coverage[1][0][5][17][33] = .25;  // latent 2 is frames 5 to 8; below, on the right
  coverage[1][0][0][0][0] = 1;
  Tensor expected = at::zeros({2, 4, 2, 3}, device);
  expected[1][2][1][2] = expected[1][3][1][2] = .25;
  expected[1][0][0][0] = expected[1][1][0][0] = 1;
  CHECK(test::same(objects_in_features(coverage), expected));
}

TEST_CASE("tokens with objects count as much more as asked for, in a mean of weights", "[train]") {
  const at::Device device = GENERATE(from_range(test::test_devices()));
  const Scale scale{2, 1, 2};
  const Tensor logits = test::seeded_randn({1, 4, 3}, 1, device);  // two latents of 1 x 2 tokens
  const Tensor bits = test::seeded_randn({1, 4, 3}, 2, device).gt(0);
  Tensor objects = at::zeros({1, 2, 4, 6}, device);
  objects[0][1][3][5] = .5;  // in the last of the four tokens
  const Tensor losses = at::softplus(at::where(bits, -logits, logits)).mean(-1).flatten();  // of every token
  const auto loss = [&](double object) { return scale_loss(logits, bits, scale, objects, object).item<double>(); };
  CHECK(loss(0) == Approx(losses.mean().item<double>()));
  const Tensor weights = at::tensor({1., 1., 1., 3.}).to(losses.options());
  CHECK(loss(4) == Approx((losses * weights).sum().item<double>() / 6));
}

}  // namespace
}  // namespace faststar
