#include <ATen/ATen.h>

#include "core/model/pyramid/codes.h"
#include "core/model/reduce/faststar.h"
#include "support/support.h"

namespace faststar {
namespace {

struct UpdateFixture {
  UpdateFixture(at::Device device, int64_t bits, const Scale& scale)
      : summed(test::seeded_randn({1, 64, 3, 9, 11}, 1, device)),
        codes(test::seeded_randn({1, bits, 3, scale.h, scale.w}, 2, device)),
        feature_mask(at::ones({3, 9, 11}, at::TensorOptions(device).dtype(at::kByte))) {}

  void prune() {
    codes = codes * test::seeded_randn(codes[0][0].sizes(), 3, summed.device()).gt(0);
    feature_mask = test::seeded_randn(feature_mask.sizes(), 4, summed.device()).gt(0).to(at::kByte);
  }

  Tensor summed, codes, feature_mask;
};

const Scale kFull{3, 9, 11};
const auto kScales = {Scale{3, 9, 11}, Scale{3, 4, 5}, Scale{3, 1, 2}};

TEST_CASE("with nothing pruned a partial update is a full one, bit for bit", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto bits = GENERATE(as<int64_t>{}, 16, 64);
  const Scale scale = GENERATE(values(kScales));
  const UpdateFixture f(device, bits, scale);
  CHECK(test::same(partial_update(f.summed, f.codes, f.feature_mask), f.summed + upsample_codes(f.codes, kFull)));
}

TEST_CASE("pruned positions keep every bit", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  UpdateFixture f(device, 16, {3, 4, 5});
  f.prune();
  f.summed.select(3, 0).fill_(-0.0f);
  const Tensor updated = partial_update(f.summed, f.codes, f.feature_mask);
  const Tensor pruned = f.feature_mask.eq(0).expand({1, 64, 3, 9, 11});
  const auto bits_of = [&](const Tensor& map) { return map.view(at::kInt).masked_select(pruned); };
  CHECK(test::same(bits_of(updated), bits_of(f.summed)));
  CHECK_FALSE(test::same(updated, f.summed));
}

TEST_CASE("partial_update agrees with the reference", "[reduce][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto bits = GENERATE(as<int64_t>{}, 16, 64);
  const Scale scale = GENERATE(values(kScales));
  UpdateFixture f(device, bits, scale);
  f.prune();
  CHECK(test::relative_error(partial_update(f.summed, f.codes, f.feature_mask),
                             reference::partial_update(f.summed, f.codes, f.feature_mask)) < 1e-6);
}

}  // namespace
}  // namespace faststar
