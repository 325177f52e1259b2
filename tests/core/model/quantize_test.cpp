#include "core/model/quantize.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "core/model/layers.h"
#include "core/model/star/attention.h"
#include "support/support.h"

namespace faststar {
namespace {

Tensor dequantized(const ScaledRows& rows) { return rows.values.to(at::kFloat) * rows.scale; }

/// Largest difference of rounded numbers, in steps of E4M3: neighbours are at most an eighth apart.
double steps_apart(const ScaledRows& a, const ScaledRows& b) {
  if (a.values.numel() == 0) return 0;
  const Tensor left = dequantized(a), right = dequantized(b);
  const Tensor step = at::maximum(left.abs(), right.abs()) / 8 + a.scale * 0x1p-9;
  return ((left - right).abs() / at::maximum(step, at::full({}, 1e-30, step.options()))).max().item<double>();
}

TEST_CASE("quantize_rows gives each row's largest magnitude the largest number of E4M3", "[quantize][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = at::tensor({1.0f, -2.0f, 0.5f, 0.0f, 448.0f, 28.0f, -3.5f, 1.75f}).view({2, 4}).to(device);
  const ScaledRows rows = quantize_rows(x);
  CHECK(rows.values.scalar_type() == at::kFloat8_e4m3fn);
  CHECK(at::equal(rows.values.to(at::kFloat).cpu().flatten(),
                  at::tensor({224.0f, -448.0f, 112.0f, 0.0f, 448.0f, 28.0f, -3.5f, 1.75f})));
  CHECK(at::equal(rows.scale.cpu().flatten(), at::tensor({2.0f / 448, 1.0f})));
}

TEST_CASE("a row of zeros stays zero", "[quantize][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const ScaledRows rows = quantize_rows(at::zeros({3, 64}, at::TensorOptions(device)));
  CHECK(at::equal(dequantized(rows).cpu(), at::zeros({3, 64})));
}

TEST_CASE("quantize_rows agrees with the reference and loses half a step", "[quantize][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(1, 7, 8, 64, 96, 2056, 4096, 12288, 40000);
  const int64_t rows = GENERATE(0, 1, 33);
  CAPTURE(device, width, rows);
  const Tensor x = test::seeded_randn({rows, width}, 1, device, dtype) * 3;
  const ScaledRows rounded = quantize_rows(x);
  CHECK(rounded.values.sizes() == x.sizes());
  CHECK(rounded.scale.sizes() == at::IntArrayRef{rows, 1});
  CHECK(steps_apart(rounded, reference::quantize_rows(x)) < 1.01);
  if (rows == 0) return;
  const Tensor wide = x.to(at::kFloat);
  const Tensor half_step = wide.abs() / 16 + rounded.scale * 0x1p-10;
  CHECK(((dequantized(rounded) - wide).abs() <= half_step * 1.001).all().item<bool>());
}

TEST_CASE("norm and product round to what they give unrounded", "[quantize][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t width = GENERATE(8, 96, 2056, 4096, 12288);
  CAPTURE(device, width);
  const Tensor x = test::seeded_randn({5, 3, width}, 1, device, dtype) * 3;
  const Tensor branch = GENERATE(false, true) ? test::seeded_randn({5, 3, width}, 2, device, dtype) : Tensor();
  const Tensor weight = test::seeded_randn({width}, 3, device);
  const SumAndNorm rounded = add_rms_norm_fp8(x, branch, weight, 1e-6);
  const SumAndNorm exact = add_rms_norm(x, branch, weight, 1e-6);
  CHECK(test::same(rounded.sum, exact.sum));
  // Sums in another order move a value near the middle of two numbers to the other one.
  CHECK(steps_apart(rounded.normed, quantize_rows(exact.normed.values)) < 1.01);
  CHECK(test::relative_error(dequantized(rounded.normed), dequantized(quantize_rows(exact.normed.values))) < 0.07);
  const Tensor gate_up = at::cat({x, x.flip(0)}, -1);
  CHECK(steps_apart(swiglu_fp8(gate_up), quantize_rows(swiglu(gate_up))) < 1.01);
}

TEST_CASE("quantize_heads agrees with the reference", "[quantize][kernels]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const auto [heads, head_dim] = GENERATE(std::tuple(4, 64), std::tuple(6, 24), std::tuple(2, 10));
  const int64_t tokens = GENERATE(1, 37, 3000);
  CAPTURE(device, heads, head_dim, tokens);
  // Rows of tokens lie apart, as in a longer buffer, and differ in size.
  const Tensor buffer = test::seeded_randn({2, tokens + 5, heads, head_dim}, 1, device, dtype);
  const Tensor x = (buffer * at::tensor({0.01f, 300.0f}).to(device, dtype).view({2, 1, 1, 1})).narrow(1, 0, tokens);
  const QuantizedHeads rounded = quantize_heads(x, 2), expected = reference::quantize_heads(x, 2);
  CHECK(at::equal(rounded.descale, expected.descale));
  CHECK(at::equal(rounded.values.to(at::kFloat), expected.values.to(at::kFloat)));
}

TEST_CASE("quantize_heads scales by powers of two", "[quantize][kernels]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Tensor x = at::zeros({1, 2, 3, 16}, at::TensorOptions(device));
  x[0][0][0][0] = 448.0;
  x[0][1][1][3] = -449.0;
  const QuantizedHeads rounded = quantize_heads(x, 3);
  CHECK(rounded.descale[0][0].item<float>() == 1.0f);
  CHECK(rounded.descale[0][1].item<float>() == 2.0f);
  CHECK(rounded.descale[0][2].item<float>() < 1e-37f);
}

TEST_CASE("fp8_product agrees with the reference and is near the exact product", "[quantize]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const auto [in, out] = GENERATE(std::tuple(16, 16), std::tuple(64, 48), std::tuple(24, 7), std::tuple(512, 1024));
  const int64_t rows = GENERATE(1, 17, 160);
  CAPTURE(device, in, out, rows);
  const Tensor x = test::seeded_randn({2, rows, in}, 1, device, dtype);
  const Tensor weight = test::seeded_randn({out, in}, 2, device, dtype);
  const ScaledRows read = quantize_rows(x), columns = quantize_rows(weight);
  const Tensor product = fp8_product(read, columns, dtype);
  CHECK(product.sizes() == at::IntArrayRef{2, rows, out});
  CHECK(product.scalar_type() == dtype);
  // The GPU's matrix units add in fewer bits than float32 has.
  CHECK(test::relative_error(product, reference::fp8_product(read, columns, dtype)) < 5e-3);
  const Tensor exact = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
  CHECK(((product.to(at::kDouble) - exact).norm() / exact.norm()).item<double>() < 0.06);
}

TEST_CASE("a linear layer multiplies in E4M3 when its rows are, or when it has no other weight", "[quantize]") {
  const Tensor weight = test::seeded_randn({32, 64}, 1), bias = test::seeded_randn({32}, 2);
  Linear layer(weight, bias);
  const Tensor x = test::seeded_randn({3, 64}, 3);
  const Tensor exact = layer(x);
  layer.fp8 = quantize_rows(weight);
  CHECK(at::equal(layer(x), exact));
  const Tensor rounded = layer(quantize_rows(x));
  const double error = ((rounded - exact).norm() / exact.norm()).item<double>();
  CHECK(error > 1e-3);
  CHECK(error < 0.06);
  layer.weight = Tensor();
  CHECK(at::equal(layer(x), rounded));
}

TEST_CASE("rows are split in order", "[quantize]") {
  const ScaledRows rows = quantize_rows(test::seeded_randn({2, 5, 16}, 1)).flattened();
  const std::vector<ScaledRows> pieces = rows.split(4);
  REQUIRE(pieces.size() == 3);
  CHECK(
      at::equal(at::cat({dequantized(pieces[0]), dequantized(pieces[1]), dequantized(pieces[2])}), dequantized(rows)));
}

TEST_CASE("8-bit linear layers ask for a GPU that multiplies E4M3", "[quantize]") {
  CHECK(fp8_obstacle(at::kCPU).value() == "needs a GPU of compute capability 8.9 or newer, but the device is the CPU");
  for (const at::Device device : test::test_devices()) {
    if (device.is_cuda()) CHECK(fp8_obstacle(device).has_value() == (gpu_capability(device) < 89));
  }
}

}  // namespace
}  // namespace faststar
