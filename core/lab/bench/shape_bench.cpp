#include "core/lab/bench/shape_bench.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/config/config.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

Json rate_json(double flop, double seconds, const Ceilings& ceilings) {
  return {{"seconds", seconds},
          {"flop", flop},
          {"flops", flop / seconds},
          {"ceiling_share", flop / seconds / ceilings.product_flops}};
}

/// A matrix product of a layer.
struct Projection {
  const char* name;  ///< in the table and in the JSON
  int64_t in, out;
  int64_t most_rows;  ///< longer inputs go in pieces
};

std::vector<Projection> projections_of(const StarArchitecture& star) {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  return {{"qkv", star.hidden_size, qkv_layers(star).rows(), kAll},
          {"o", star.heads * star.head_dim, star.hidden_size, kAll},
          {"gate_up", star.hidden_size, gate_up_layers(star).rows(), kMlpRows},
          {"down", star.ffn_width, star.hidden_size, kMlpRows}};
}

/// Seconds and FLOP/s of a projection of `rows` rows. `product_of` makes operands for a number of rows and returns what
/// multiplies them.
template <typename ProductOf>
Json time_rows(const OpsSubject& subject, const Projection& projection, int64_t rows, const ProductOf& product_of) {
  const int64_t piece = std::min(rows, projection.most_rows);
  const double pieces = static_cast<double>(rows) / static_cast<double>(piece);
  const double seconds = pieces * subject.clock.time(product_of(piece)).median();
  return rate_json(2.0 * static_cast<double>(rows * projection.in * projection.out), seconds, subject.ceilings);
}

/// x W^T in one dtype.
Json time_product(const OpsSubject& subject, const Projection& projection, int64_t rows, at::ScalarType dtype) {
  return time_rows(subject, projection, rows, [&](int64_t piece) {
    const Tensor x = at::randn({piece, projection.in}, subject.options(dtype));
    const Tensor weight = at::randn({projection.out, projection.in}, subject.options(dtype));
    return [x, weight] { at::linear(x, weight); };
  });
}

/// The same of rows that are rounded to E4M3 already.
Json time_fp8_product(const OpsSubject& subject, const Projection& projection, int64_t rows) {
  return time_rows(subject, projection, rows, [&](int64_t piece) {
    const ScaledRows x = quantize_rows(at::randn({piece, projection.in}, subject.options()));
    const ScaledRows weight = quantize_rows(at::randn({projection.out, projection.in}, subject.options()));
    return [x, weight, dtype = subject.work().dtype] { fp8_product(x, weight, dtype); };
  });
}

/// The shapes that differ in what products depend on.
std::vector<CountedShape> product_shapes(const Plan& plan) {
  std::vector<CountedShape> shapes;
  for (const CountedShape& counted : pass_shapes(plan)) {
    const auto found = std::ranges::find_if(shapes, [&](const CountedShape& known) {
      return known.shape.rows == counted.shape.rows && known.shape.tokens == counted.shape.tokens &&
             known.shape.bits == counted.shape.bits;
    });
    if (found == shapes.end()) {
      shapes.push_back(counted);
    } else {
      found->passes += counted.passes;
    }
  }
  return shapes;
}

/// Products of a layer of one shape, in the dtype of the run or in E4M3.
Json linear_row(const OpsSubject& subject, const CountedShape& counted, LinearPrecision precision) {
  const StarArchitecture& star = subject.work().star;
  const int64_t rows = counted.shape.rows * counted.shape.tokens;
  Json row = {{"rows", counted.shape.rows}, {"tokens", counted.shape.tokens}, {"passes", counted.passes}};
  double layer = 0;
  for (const Projection& projection : projections_of(star)) {
    row[projection.name] = precision == LinearPrecision::fp8
                               ? time_fp8_product(subject, projection, rows)
                               : time_product(subject, projection, rows, subject.work().dtype);
    layer += row[projection.name]["seconds"].get<double>();
  }
  row["layer_seconds"] = layer;
  row["run_seconds"] = static_cast<double>(counted.passes * star.layers) * layer;
  if (precision == LinearPrecision::fp8) return row;
  row["head"] = time_product(subject, {"head", star.hidden_size, 2 * counted.shape.bits, kMlpRows}, rows, at::kFloat);
  row["run_seconds"] = row["run_seconds"].get<double>() + counted.passes * row["head"]["seconds"].get<double>();
  return row;
}

double sum_of(const std::vector<Json>& rows, const char* key) {
  double sum = 0;
  for (const Json& row : rows) sum += row[key].get<double>();
  return sum;
}

/// A way to compute attention, as tables call it.
struct NamedAttention {
  std::string name;
  AttentionSettings settings;
};

/// Those that run on this device in this dtype; why the others do not.
struct Backends {
  std::vector<NamedAttention> available;
  std::vector<std::string> why_not;
};

Backends backends_of(const OpsSubject& subject) {
  std::vector<NamedAttention> all;
  for (size_t i = 0; i < kChoiceNames<AttentionBackend>.size(); ++i) {
    const auto backend = static_cast<AttentionBackend>(i);
    all.push_back({std::string(choice_name(backend)), backend});
  }
  all.push_back({"fa3_fp8", {AttentionBackend::fa3, AttentionPrecision::fp8}});
  Backends backends;
  for (const NamedAttention& one : all) {
    const auto obstacle = attention_obstacle(one.settings, subject.work().device, subject.work().dtype);
    if (obstacle) {
      backends.why_not.push_back(fmt::format("{} is not measured: it {}.", one.name, obstacle->message));
    } else {
      backends.available.push_back(one);
    }
  }
  return backends;
}

Json attention_row(const OpsSubject& subject, const CountedShape& counted, const Backends& backends) {
  const StarArchitecture& star = subject.work().star;
  const PassShape& shape = counted.shape;
  Json row = {{"rows", shape.rows}, {"queries", shape.tokens}, {"keys", shape.keys}, {"passes", counted.passes}};
  const Tensor q = at::randn({shape.rows, shape.tokens, star.heads, star.head_dim}, subject.options());
  const Tensor k = at::randn({shape.rows, shape.keys, star.kv_heads, star.head_dim}, subject.options());
  const Tensor v = at::randn_like(k);
  const double flop = 4.0 * static_cast<double>(shape.rows * shape.tokens * star.heads * star.head_dim) *
                      static_cast<double>(shape.keys);
  for (const NamedAttention& one : backends.available) {
    const double seconds = subject.clock.time([&] { attend(q, k, v, one.settings); }).median();
    row[one.name] = rate_json(flop, seconds, subject.ceilings);
  }
  row["run_seconds"] = static_cast<double>(counted.passes * star.layers) *
                       row[choice_name(AttentionBackend::automatic)]["seconds"].get<double>();
  return row;
}

}  // namespace

BenchTable bench_linears(const OpsSubject& subject, LinearPrecision precision) {
  const bool fp8 = precision == LinearPrecision::fp8;
  const FlopUnit unit = flop_unit(subject.ceilings.product_flops);
  BenchTable table{.key = fp8 ? "linears_fp8" : "linears",
                   .title = fmt::format("Matrix products{}, {}/s", fp8 ? " in E4M3" : "", unit.name),
                   .columns = {{"rows", "rows"}, {"tokens", "tokens"}, {"passes", "passes"}}};
  for (const CountedShape& counted : product_shapes(subject.plan)) {
    table.rows.push_back(linear_row(subject, counted, precision));
  }
  for (const Projection& projection : projections_of(subject.work().star)) {
    table.columns.push_back({projection.name, fmt::format("{}/flops", projection.name), unit.scale, 1});
    table.columns.push_back({"%", fmt::format("{}/ceiling_share", projection.name), kInPercent, 0});
  }
  if (!fp8) table.columns.push_back({"head, float32", "head/flops", unit.scale, 1});
  table.columns.push_back({"layer ms", "layer_seconds", kInMilliseconds, 3});
  table.footnotes = {
      "%: of the product that is the ceiling. layer: all products of a layer.",
      fmt::format("All {} of the run: {:.2f} s.", fp8 ? "of them" : "products", sum_of(table.rows, "run_seconds"))};
  if (fp8) table.footnotes.push_back("Rounding to E4M3 is not in it: quantize_rows in the table of kernels.");
  return table;
}

BenchTable bench_attention(const OpsSubject& subject) {
  const Backends backends = backends_of(subject);
  const FlopUnit unit = flop_unit(subject.ceilings.product_flops);
  BenchTable table{.key = "attention",
                   .title = "Attention",
                   .columns = {{"rows", "rows"}, {"queries", "queries"}, {"keys", "keys"}, {"passes", "passes"}}};
  for (const auto& [name, settings] : backends.available) {
    table.columns.push_back({name + " ms", name + "/seconds", kInMilliseconds, 3});
    table.columns.push_back({fmt::format("{}/s", unit.name), name + "/flops", unit.scale, 1});
    table.columns.push_back({"%", name + "/ceiling_share", kInPercent, 0});
  }
  for (const CountedShape& counted : pass_shapes(subject.plan)) {
    table.rows.push_back(attention_row(subject, counted, backends));
  }
  table.footnotes = backends.why_not;
  table.footnotes.push_back(
      fmt::format("All attention of the run as `auto` chooses: {:.2f} s.", sum_of(table.rows, "run_seconds")));
  return table;
}

}  // namespace faststar
