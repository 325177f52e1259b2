#include <ATen/ATen.h>

#include "core/model/layers.h"
#include "core/model/star/rope.h"
#include "support/gradients.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("swiglu agrees with the reference", "[star][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(0, 1, 13, 768, 4099);
  CAPTURE(device, width);
  const Tensor gate_up = test::seeded_randn({3, 2 * width}, 1, device, dtype) * 4;
  const Tensor product = swiglu(gate_up);
  CHECK(product.sizes() == at::IntArrayRef{3, width});
  CHECK(test::relative_error(product, reference::swiglu(gate_up)) < test::tolerance_of(dtype) / 4);
}

TEST_CASE("swiglu takes the first half of a row as gate and the second as up", "[star][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor gate_up = at::tensor({0.0f, 1.0f, 5.0f, 2.0f}).view({1, 4}).to(device);
  const Tensor expected = at::tensor({0.0f, 2.0f / (1.0f + std::exp(-1.0f))}).view({1, 2});
  CHECK(test::relative_error(swiglu(gate_up), expected) < 1e-6);
}

TEST_CASE("norm_rope turns interleaved pairs", "[star][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = at::tensor({3.0f, 4.0f}).view({1, 1, 1, 2}).to(device);
  const Rope quarter_turn{at::zeros({1, 1}).to(device), at::ones({1, 1}).to(device)};
  const float root_mean_square = std::sqrt(12.5f);
  const Tensor expected = at::tensor({-4.0f / root_mean_square, 3.0f / root_mean_square}).view({1, 1, 1, 2});
  CHECK(test::relative_error(norm_rope(x, at::ones({2}).to(device), 0.0, quarter_turn), expected) < 1e-6);
}

TEST_CASE("norm_rope agrees with the reference", "[star][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t head_dim = GENERATE(8, 32, 64, 128, 200);
  const int64_t tokens = GENERATE(0, 1, 37);
  CAPTURE(device, head_dim, tokens);
  const Tensor x = test::seeded_randn({2, tokens, 3, head_dim}, 1, device, dtype) * 2;
  const Tensor weight = test::seeded_randn({head_dim}, 2, device);
  const Tensor angle = test::seeded_randn({tokens, head_dim / 2}, 3, device);
  const Rope rope{angle.cos(), angle.sin()};
  CHECK(test::relative_error(norm_rope(x, weight, 1e-6, rope), reference::norm_rope(x, weight, 1e-6, rope)) <
        test::tolerance_of(dtype) / 4);
}

namespace {

Rope random_rope(int64_t tokens, int64_t head_dim, at::Device device) {
  const Tensor angle = test::seeded_randn({tokens, head_dim / 2}, 3, device);
  return {angle.cos(), angle.sin()};
}

HeadNorms random_norms(int64_t head_dim, at::Device device) {
  return {test::seeded_randn({head_dim}, 4, device), test::seeded_randn({head_dim}, 5, device), 1e-6};
}

}  // namespace

TEST_CASE("split_qkv agrees with the reference", "[star][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t head_dim = GENERATE(8, 64, 128, 200);
  const int64_t tokens = GENERATE(0, 1, 37);
  const auto [heads, kv_heads] = GENERATE(std::tuple(1, 1), std::tuple(6, 2), std::tuple(3, 3));
  CAPTURE(device, head_dim, tokens, heads, kv_heads);
  const Tensor qkv = test::seeded_randn({2, tokens, (heads + 2 * kv_heads) * head_dim}, 1, device, dtype) * 2;
  const Rope rope = random_rope(tokens, head_dim, device);
  const HeadNorms norms = random_norms(head_dim, device);
  const QkvHeads split = split_qkv(qkv, kv_heads, norms, rope);
  const QkvHeads expected = reference::split_qkv(qkv, kv_heads, norms, rope);
  CHECK(split.q.sizes() == at::IntArrayRef{2, tokens, heads, head_dim});
  CHECK(test::relative_error(split.q, expected.q) < test::tolerance_of(dtype) / 4);
  CHECK(test::relative_error(split.kv.k, expected.kv.k) < test::tolerance_of(dtype) / 4);
  CHECK(test::same(split.kv.v, expected.kv.v));
}

TEST_CASE("split_qkv writes into rows of a longer buffer what it returns otherwise", "[star][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t rows = GENERATE(1, 2, 3);
  const int64_t tokens = GENERATE(0, 1, 37);
  CAPTURE(device, rows, tokens);
  const Tensor qkv = test::seeded_randn({rows, tokens, 8 * 64}, 1, device, dtype);
  const Rope rope = random_rope(tokens, 64, device);
  const HeadNorms norms = random_norms(64, device);
  const LayerKv buffer{at::ones({rows, tokens + 8, 3, 64}, qkv.options()),
                       at::ones({rows, tokens + 8, 3, 64}, qkv.options())};
  const LayerKv place{buffer.k.narrow(1, 5, tokens), buffer.v.narrow(1, 5, tokens)};
  const QkvHeads written = split_qkv(qkv, 3, norms, rope, place), split = split_qkv(qkv, 3, norms, rope);
  CHECK(written.kv.k.is_alias_of(buffer.k));
  CHECK(written.kv.v.is_alias_of(buffer.v));
  CHECK(test::same(written.q, split.q));
  CHECK(test::same(place.k, split.kv.k));
  CHECK(test::same(place.v, split.kv.v));
  for (const Tensor& whole : {buffer.k, buffer.v}) {
    CHECK(whole.narrow(1, 0, 5).eq(1).all().item<bool>());
    CHECK(whole.narrow(1, 5 + tokens, 3).eq(1).all().item<bool>());
  }
}

TEST_CASE("gradients of swiglu agree with those of the reference", "[star][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(1, 13, 768, 4099);
  CAPTURE(device, width);
  CHECK(test::gradient_error([](const std::vector<Tensor>& in) { return swiglu(in[0]); },
                             [](const std::vector<Tensor>& in) { return reference::swiglu(in[0]); },
                             {test::seeded_randn({3, 2 * width}, 1, device, dtype) * 3}) < test::tolerance_of(dtype));
}

TEST_CASE("gradients of norm_rope agree with those of the reference", "[star][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t head_dim = GENERATE(8, 64, 200);
  const int64_t tokens = GENERATE(1, 37);
  CAPTURE(device, head_dim, tokens);
  const Tensor angle = test::seeded_randn({tokens, head_dim / 2}, 3, device);
  const Rope rope{angle.cos(), angle.sin()};
  CHECK(test::gradient_error(
            [&](const std::vector<Tensor>& in) { return norm_rope(in[0], in[1], 1e-6, rope); },
            [&](const std::vector<Tensor>& in) { return reference::norm_rope(in[0], in[1], 1e-6, rope); },
            {test::seeded_randn({2, tokens, 3, head_dim}, 1, device, dtype) * 2,
             test::seeded_randn({head_dim}, 2, device)}) < test::tolerance_of(dtype));
}

TEST_CASE("gathered tokens turn as they would among all", "[star]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = test::seeded_randn({2, 30, 3, 32}, 1, device);
  const Tensor weight = test::seeded_randn({32}, 2, device);
  const Rope rope = visual_rope({.scale = 600, .frames = {4, 5}, .grid = {2, 3, 5}, .full = {2, 6, 10}}, 32, device);
  const Tensor kept = at::tensor({0, 7, 8, 29}, at::kLong).to(device);
  CHECK(test::same(norm_rope(x.index_select(1, kept), weight, 1e-6, gather_rope(rope, kept)),
                   norm_rope(x, weight, 1e-6, rope).index_select(1, kept)));
}

TEST_CASE("rows and columns map to the full grid with halves to even", "[star]") {
  CHECK(positions_on_full_grid(8, 45) == std::vector<int>{0, 6, 11, 17, 22, 28, 34, 39});
  CHECK(positions_on_full_grid(18, 45) ==
        std::vector<int>{0, 2, 5, 8, 10, 12, 15, 18, 20, 22, 25, 28, 30, 32, 35, 38, 40, 42});
  CHECK(positions_on_full_grid(11, 80) == std::vector<int>{0, 7, 15, 22, 29, 36, 44, 51, 58, 65, 73});
}

TEST_CASE("a text token turns by its position on the scale axis alone", "[star]") {
  const Rope rope = text_rope(3, 32, at::kCPU);
  CHECK(rope.cos.sizes() == at::IntArrayRef{3, 16});
  CHECK(rope.cos[2][0].item<float>() == std::cos(2.0f));
  CHECK(test::same(rope.cos.narrow(1, 4, 12), at::ones({3, 12})));
}

}  // namespace
}  // namespace faststar
