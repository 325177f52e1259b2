#include "core/model/reduce/partial_update.h"

#include <ATen/ATen.h>

#include "core/model/pyramid/codes.h"
#include "support/support.h"

namespace faststar {
namespace {

struct UpdateFixture {
  UpdateFixture(at::Device device, int64_t bits, const Scale& scale)
      : summed(test::seeded_randn({1, 64, 3, 9, 11}, 1, device)),
        update{test::seeded_randn({1, bits, 3, scale.h, scale.w}, 2, device),
               at::ones({3, scale.h, scale.w}, at::TensorOptions(device).dtype(at::kByte)),
               at::ones({3, 9, 11}, at::TensorOptions(device).dtype(at::kByte))} {}

  void prune() {
    update.token_mask = test::seeded_randn(update.token_mask.sizes(), 3, summed.device()).gt(0).to(at::kByte);
    update.feature_mask = test::seeded_randn(update.feature_mask.sizes(), 4, summed.device()).gt(0).to(at::kByte);
    update.codes = update.codes * update.token_mask;
  }

  Tensor summed;
  MaskedCodes update;
};

const Scale kFull{3, 9, 11};
const auto kScales = {Scale{3, 9, 11}, Scale{3, 4, 5}, Scale{3, 1, 2}};

TEST_CASE("with nothing pruned a partial update is a full one, bit for bit", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto bits = GENERATE(as<int64_t>{}, 16, 64);
  const Scale scale = GENERATE(values(kScales));
  const auto boundary = GENERATE(UpdateBoundary::zero, UpdateBoundary::nn_fill);
  const UpdateFixture f(device, bits, scale);
  CHECK(test::same(partial_update(f.summed, f.update, boundary), f.summed + upsample_codes(f.update.codes, kFull)));
}

TEST_CASE("pruned positions keep every bit", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto boundary = GENERATE(UpdateBoundary::zero, UpdateBoundary::normalized, UpdateBoundary::nn_fill);
  UpdateFixture f(device, 16, {3, 4, 5});
  f.prune();
  f.summed.select(3, 0).fill_(-0.0f);
  const Tensor updated = partial_update(f.summed, f.update, boundary);
  const Tensor pruned = f.update.feature_mask.eq(0).expand({1, 64, 3, 9, 11});
  const auto bits_of = [&](const Tensor& map) { return map.view(at::kInt).masked_select(pruned); };
  CHECK(test::same(bits_of(updated), bits_of(f.summed)));
  CHECK_FALSE(test::same(updated, f.summed));
}

TEST_CASE("partial_update agrees with the reference", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto bits = GENERATE(as<int64_t>{}, 16, 64);
  const Scale scale = GENERATE(values(kScales));
  const auto boundary = GENERATE(UpdateBoundary::zero, UpdateBoundary::normalized, UpdateBoundary::nn_fill);
  UpdateFixture f(device, bits, scale);
  f.prune();
  f.update.token_mask.select(2, 0).fill_(1);
  CHECK(test::relative_error(partial_update(f.summed, f.update, boundary),
                             reference::partial_update(f.summed, f.update, boundary)) < 1e-6);
}

TEST_CASE("a normalised boundary gives kept tokens their full weight", "[reduce]") {
  UpdateFixture f(at::kCPU, 64, {3, 4, 5});
  f.update.codes.fill_(2);
  f.update.token_mask.select(2, 4).fill_(0);
  f.update.codes = f.update.codes * f.update.token_mask;
  const auto beside = [&](UpdateBoundary boundary) {
    return (partial_update(f.summed, f.update, boundary) - f.summed).select(4, 8).mean().item<double>();
  };
  CHECK(beside(UpdateBoundary::zero) < 1.9);
  CHECK(beside(UpdateBoundary::normalized) == Approx(2));
  CHECK(beside(UpdateBoundary::nn_fill) == Approx(2));
}

}  // namespace
}  // namespace faststar
