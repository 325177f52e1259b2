#include "core/base/random.h"

#include <ATen/ATen.h>

#include "cuda/philox.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("philox4x32 gives the published known answers", "[random]") {
  // Random123's kat_vectors, philox4x32 with 10 rounds.
  const auto zero = philox4x32({{0, 0, 0, 0}}, 0, 0);
  CHECK(zero.word[0] == 0x6627e8d5u);
  CHECK(zero.word[1] == 0xe169c58du);
  CHECK(zero.word[2] == 0xbc57ac4cu);
  CHECK(zero.word[3] == 0x9b00dbd8u);
  const auto ones = philox4x32({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u);
  CHECK(ones.word[0] == 0x408f276du);
  CHECK(ones.word[1] == 0x41c83b0eu);
  CHECK(ones.word[2] == 0xa20bc7c6u);
  CHECK(ones.word[3] == 0x6d5451fdu);
  const auto digits = philox4x32({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}, 0xa4093822u, 0x299f31d0u);
  CHECK(digits.word[0] == 0xd16cfe09u);
  CHECK(digits.word[1] == 0x94fdccebu);
  CHECK(digits.word[2] == 0x5001e420u);
  CHECK(digits.word[3] == 0x24126ea1u);
}

TEST_CASE("philox_uniform keys every number by its position", "[random][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const RandomStep step{.seed = 0x123456789abcdef0, .clip = 1, .scale = 29, .repetition = 2};
  const Tensor tokens = at::tensor({0, 5, 71999, 3}, at::kLong).to(device);
  const Tensor uniform = philox_uniform(step, RandomPurpose::bits, tokens, 64);
  CHECK(test::same(uniform, reference::philox_uniform(step, RandomPurpose::bits, tokens, 64)));

  const auto block = philox4x32({{71999, 63 / 4, 29u << 16 | 2u << 8, 1}}, 0x9abcdef0u, 0x12345678u);
  CHECK(uniform[2][63].item<float>() == uniform_from_bits(block.word[63 % 4]));

  const Tensor many = at::arange(1001, tokens.options()).mul(71);
  CHECK(test::same(philox_uniform(step, RandomPurpose::bits, many, 12),
                   reference::philox_uniform(step, RandomPurpose::bits, many, 12)));

  const Tensor alone = philox_uniform(step, RandomPurpose::bits, tokens.narrow(0, 2, 1), 64);
  CHECK(test::same(alone[0], uniform[2]));
}

TEST_CASE("philox_uniform with no tokens is empty", "[random][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor none =
      philox_uniform({}, RandomPurpose::bits, at::empty({0}, at::TensorOptions(device).dtype(at::kLong)), 16);
  CHECK(none.sizes() == at::IntArrayRef{0, 16});
}

}  // namespace
}  // namespace faststar
