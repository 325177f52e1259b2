#include "core/model/vae/layers.h"

#include <ATen/ATen.h>

#include <utility>

#include "core/base/weights/weights.h"
#include "support/support.h"

namespace faststar {
namespace {

/// Every weight is zero, so that a resampler does nothing but its shortcut.
class ZeroWeights final : public TensorSource {
 public:
  const std::map<std::string, TensorInfo>& tensors() const override { return none_; }
  Tensor read(const std::string&, const TensorInfo& info, at::Device) const override {
    return at::zeros(info.shape, at::TensorOptions().dtype(info.dtype));
  }
  std::string origin() const override { return "zeros"; }
  bool makes_any() const override { return true; }

 private:
  std::map<std::string, TensorInfo> none_;
};

Weights zero_weights() { return Weights(std::make_shared<ZeroWeights>(), at::kCPU, at::kFloat); }

VideoPass running_pass() {
  VideoPass pass;
  pass.at_start = false;
  return pass;
}

TEST_CASE("the upsampling shortcut reads channel n mod C of x for channel n of the convolution", "[vae]") {
  const Weights weights = zero_weights();
  const int64_t in = GENERATE(4, 8, 16);  // C, 2C and 4C
  const auto time = GENERATE(TimeFactor::one, TimeFactor::two);
  const int64_t out = 4, factor = static_cast<int64_t>(time);
  const UpSample up({weights, at::kFloat}, "up", in, out, time);
  const Tensor x = test::seeded_randn({1, 2, 3, 2, in}, 1);
  VideoPass pass = running_pass();
  const Tensor y = up(x, pass);
  REQUIRE(y.sizes() == at::IntArrayRef{1, 2 * factor, 6, 4, out});
  int64_t wrong = 0;
  for (int64_t t = 0; t < 2 * factor; ++t) {
    for (int64_t row = 0; row < 6; ++row) {
      for (int64_t column = 0; column < 4; ++column) {
        for (int64_t c = 0; c < out; ++c) {
          const int64_t n = ((t % factor * 2 + row % 2) * 2 + column % 2) * out + c;
          wrong += y[0][t][row][column][c].item<float>() != x[0][t / factor][row / 2][column / 2][n % in].item<float>();
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("the first frame stays one frame through both resamplers", "[vae]") {
  const Weights weights = zero_weights();
  const int64_t frames = GENERATE(1, 3, 5);
  VideoPass down_pass, up_pass;
  const Tensor x = test::seeded_randn({1, frames, 4, 4, 4}, 2);
  const Tensor small = DownSample({weights, at::kFloat}, "down", 4, 4, TimeFactor::two)(x, down_pass);
  CHECK(small.sizes() == at::IntArrayRef{1, (frames + 1) / 2, 2, 2, 4});
  CHECK(test::relative_error(small[0][0][1][0], x[0][0].narrow(0, 2, 2).narrow(1, 0, 2).flatten(0, 1).mean(0)) < 1e-6);
  const Tensor large = UpSample({weights, at::kFloat}, "up", 4, 4, TimeFactor::two)(small, up_pass);
  CHECK(large.sizes() == x.sizes());
  CHECK(test::same(large[0][0][3][1], small[0][0][1][0]));
}

TEST_CASE("the downsampling shortcut averages groups of channels and pairs of frames", "[vae]") {
  const Weights weights = zero_weights();
  const Tensor x = test::seeded_randn({1, 4, 2, 2, 4}, 3);
  VideoPass pass = running_pass();
  const Tensor y = DownSample({weights, at::kFloat}, "down", 4, 8, TimeFactor::two)(x, pass);
  REQUIRE(y.sizes() == at::IntArrayRef{1, 2, 1, 1, 8});
  // 16 channels (row, column, c) in two groups, one a row: channel (column, c) of y is the mean over rows.
  const Tensor pairs = x[0].view({2, 2, 2, 2, 4}).mean(1);  // [T, row, column, c]
  CHECK(test::relative_error(y.view({2, 2, 4}), pairs.mean(1)) < 1e-6);
}

TEST_CASE("layers may move between slices", "[vae]") {
  const Weights weights(make_random_weights(1), at::kCPU, at::kFloat);
  ResnetStack stack({weights, at::kFloat}, "stack", 8, 2);
  const Tensor x = test::seeded_randn({1, 5, 3, 4, 8}, 4);
  VideoPass whole_pass, pass;
  const Tensor whole = stack(x.clone(), whole_pass).total();
  const Tensor first = stack(x.narrow(1, 0, 3).clone(), pass).total();
  pass.end_slice();
  const ResnetStack moved = std::move(stack);
  const Tensor second = moved(x.narrow(1, 3, 2).clone(), pass).total();
  CHECK(test::relative_error(at::cat({first, second}, 1), whole) < 1e-5);
}

}  // namespace
}  // namespace faststar
