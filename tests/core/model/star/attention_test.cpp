#include "core/model/star/attention.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

/// softmax(q k^T / sqrt(D)) v in float64.
Tensor exact_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  const int64_t group = q.size(2) / k.size(2);
  const auto heads_first = [](const Tensor& t) { return t.to(at::kCPU, at::kDouble).transpose(1, 2); };
  const Tensor keys = heads_first(k).repeat_interleave(group, 1);
  const Tensor values = heads_first(v).repeat_interleave(group, 1);
  const Tensor scores = at::matmul(heads_first(q), keys.transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
  return at::matmul(scores.softmax(-1), values).transpose(1, 2);
}

/// ||a - b|| / ||b||.
double norm_error(const Tensor& a, const Tensor& b) {
  const Tensor expected = b.to(at::kCPU, at::kDouble);
  return ((a.to(at::kCPU, at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

/// Keys or values that are a part of a longer buffer, as a pass reads them.
Tensor part_of_buffer(const Tensor& t) {
  const Tensor buffer = at::full({t.size(0), t.size(1) + 7, t.size(2), t.size(3)}, 9, t.options());
  return buffer.narrow(1, 3, t.size(1)).copy_(t);
}

TEST_CASE("every attention backend computes grouped-query attention, or says why it cannot", "[star][attention]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const auto backend =
      GENERATE(AttentionBackend::automatic, AttentionBackend::fa3, AttentionBackend::cudnn, AttentionBackend::aten);
  const int64_t head_dim = GENERATE(64, 128);
  const int64_t kv_heads = GENERATE(1, 2, 4);
  const int64_t queries = GENERATE(1, 37, 700);
  const int64_t keys = GENERATE(1, 53, 1025);
  if (const auto obstacle = attention_obstacle(backend, device, dtype)) {
    const Tensor x = at::zeros({1, 2, 1, 8}, at::TensorOptions(device).dtype(dtype));
    const Error error = test::error_of([&] { attend(x, x, x, backend); });
    CHECK(error.kind() == ErrorKind::device);
    CHECK(test::says(error, obstacle->message));
    return;
  }
  CAPTURE(device, static_cast<int>(backend), head_dim, kv_heads, queries, keys);
  const Tensor q = test::seeded_randn({2, queries, 4, head_dim}, 1, device, dtype);
  const Tensor k = part_of_buffer(test::seeded_randn({2, keys, kv_heads, head_dim}, 2, device, dtype));
  const Tensor v = part_of_buffer(test::seeded_randn({2, keys, kv_heads, head_dim}, 3, device, dtype));
  CHECK(test::relative_error(attend(q, k, v, backend), exact_attention(q, k, v)) < test::tolerance_of(dtype));
}

TEST_CASE("what is asked of attention and cannot be is named", "[star][attention]") {
  const auto why = [](AttentionSettings settings, at::ScalarType dtype) {
    const auto obstacle = attention_obstacle(settings, at::kCPU, dtype);
    return obstacle ? obstacle->message : "";
  };
  CHECK(why({}, at::kFloat).empty());
  CHECK(why(AttentionBackend::aten, at::kFloat).empty());
  CHECK(why(AttentionBackend::fa3, at::kBFloat16) == "needs a GPU, but the device is the CPU");
  CHECK(why({AttentionBackend::automatic, AttentionPrecision::fp8}, at::kBFloat16) ==
        "needs a GPU, but the device is the CPU");
  CHECK(why({AttentionBackend::cudnn, AttentionPrecision::fp8}, at::kBFloat16) == "FP8 needs FlashAttention-3");
  CHECK(attention_text({}, at::kCPU, at::kFloat) == "aten");
  for (const at::Device device : test::test_devices()) {
    if (device.is_cpu()) continue;
    const auto fp32 = attention_obstacle(AttentionBackend::fa3, device, at::kFloat);
    REQUIRE(fp32);
    CHECK(fp32->message == "needs bf16, but the precision is float32");
    CHECK(attention_text({}, device, at::kFloat) == "aten");
    CHECK(attention_text({}, device, at::kBFloat16).find("fa3") != std::string::npos);  // found, or why not
  }
}

TEST_CASE("heads are rounded to E4M3 with a power of two for each row and group", "[star][attention]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const int64_t tokens = GENERATE(1, 61);
  Tensor x = test::seeded_randn({2, tokens, 6, 16}, 1, device, dtype);
  x.select(0, 1).mul_(1000);
  x.narrow(2, 4, 2).zero_();
  const QuantizedHeads quantized = quantize_heads(x, 3);
  REQUIRE(quantized.values.scalar_type() == at::kFloat8_e4m3fn);
  REQUIRE(quantized.descale.sizes() == at::IntArrayRef{2, 3});
  const Tensor descale = quantized.descale.cpu();
  CHECK(test::same(descale.log2(), descale.log2().round()));
  CHECK(descale[1][0].item<float>() > 100 * descale[0][0].item<float>());
  const Tensor scale = quantized.descale.repeat_interleave(2, 1).view({2, 1, 6, 1});
  const Tensor back = quantized.values.to(at::kFloat) * scale;
  const Tensor wide = x.to(at::kFloat);
  // Half a unit of the three bits behind the point, or of the smallest number of the scale.
  const Tensor allowed = wide.abs() / 16 + scale / 512 / 2;
  CHECK((back - wide).abs().le(allowed).all().item<bool>());
  CHECK(back.abs().amax({0, 1, 3})[4].item<float>() == 0);
}

TEST_CASE("attention of FP8 queries, keys and values stays near the exact result", "[star][attention]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const int64_t kv_heads = GENERATE(1, 4);
  const int64_t keys = GENERATE(1, 53, 1025);
  CAPTURE(device, kv_heads, keys);
  const Tensor q = test::seeded_randn({2, 37, 4, 64}, 1, device);
  const Tensor k = test::seeded_randn({2, keys, kv_heads, 64}, 2, device);
  const Tensor v = test::seeded_randn({2, keys, kv_heads, 64}, 3, device);
  const double error = norm_error(reference::attend_fp8(q, k, v), exact_attention(q, k, v));
  CHECK(error < 0.06);
  CHECK(error > 0.005);  // it does round
}

TEST_CASE("FlashAttention-3 in FP8 agrees with its reference", "[star][attention]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const AttentionSettings fp8{AttentionBackend::fa3, AttentionPrecision::fp8};
  if (attention_obstacle(fp8, device, at::kBFloat16)) return;  // the runner's last lines say so
  const int64_t head_dim = GENERATE(64, 128);
  const int64_t kv_heads = GENERATE(1, 4);
  const int64_t queries = GENERATE(1, 37, 700);
  const int64_t keys = GENERATE(1, 53, 1025, 9001);
  CAPTURE(head_dim, kv_heads, queries, keys);
  const Tensor q = test::seeded_randn({2, queries, 4, head_dim}, 1, device, at::kBFloat16);
  const Tensor k = part_of_buffer(test::seeded_randn({2, keys, kv_heads, head_dim}, 2, device, at::kBFloat16));
  const Tensor v = part_of_buffer(test::seeded_randn({2, keys, kv_heads, head_dim}, 3, device, at::kBFloat16));
  // Its softmax is rounded to three bits as well, and its sums have about 13.
  CHECK(norm_error(attend(q, k, v, fp8), reference::attend_fp8(q, k, v)) < 0.06);
}

}  // namespace
}  // namespace faststar
