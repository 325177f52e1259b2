#include "core/lab/bench/error_bench.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/config/config.h"

namespace faststar {
namespace {

/// Rows of a product, queries and keys: enough for an error that hardly moves.
constexpr int64_t kRows = 512;
constexpr int64_t kKeys = 2048;

double relative_error(const Tensor& result, const Tensor& exact) {
  return ((result.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

nlohmann::ordered_json product_row(const OpsSubject& subject, const char* name, int64_t in, int64_t out) {
  const Tensor x = at::randn({kRows, in}, subject.options());
  const Tensor weight = at::randn({out, in}, subject.options()) / std::sqrt(static_cast<double>(in));
  const Tensor exact = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
  nlohmann::ordered_json row = {{"op", name}, {"shape", fmt::format("{}x{} to {}", kRows, in, out)}};
  row["own"] = relative_error(at::linear(x, weight), exact);
  row["fp8"] = relative_error(fp8_product(quantize_rows(x), quantize_rows(weight), subject.work().dtype), exact);
  return row;
}

nlohmann::ordered_json attention_row(const OpsSubject& subject) {
  const StarArchitecture& star = subject.work().star;
  const Tensor q = at::randn({1, kRows, star.heads, star.head_dim}, subject.options());
  const Tensor k = at::randn({1, kKeys, star.kv_heads, star.head_dim}, subject.options());
  const Tensor v = at::randn_like(k);
  const Tensor exact = attend(q.to(at::kDouble), k.to(at::kDouble), v.to(at::kDouble), AttentionBackend::aten);
  nlohmann::ordered_json row = {{"op", "attention"}, {"shape", fmt::format("{} of {} keys", kRows, kKeys)}};
  row["own"] = relative_error(attend(q, k, v, AttentionBackend::automatic), exact);
  const AttentionSettings fp8{AttentionBackend::fa3, AttentionPrecision::fp8};
  const bool runs = !attention_obstacle(fp8, subject.work().device, subject.work().dtype);
  row["fp8"] = relative_error(runs ? attend(q, k, v, fp8) : reference::attend_fp8(q, k, v), exact);
  return row;
}

}  // namespace

BenchTable bench_errors(const OpsSubject& subject) {
  const StarArchitecture& star = subject.work().star;
  const int64_t query = star.heads * star.head_dim;
  const std::string dtype = dtype_text(subject.work().dtype);
  BenchTable table{
      .key = "errors",
      .title = "Errors against float64, in % of the result",
      .columns = {{"op", "op"}, {"shape", "shape"}, {dtype, "own", kInPercent, 2}, {"E4M3", "fp8", kInPercent, 2}}};
  table.rows = {product_row(subject, "q", star.hidden_size, query),
                product_row(subject, "gate_up", star.hidden_size, star.ffn_width),
                product_row(subject, "down", star.ffn_width, star.hidden_size), attention_row(subject)};
  table.footnotes = {"Normally distributed operands; norm of the difference over norm of the result."};
  return table;
}

}  // namespace faststar
