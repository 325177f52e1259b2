#include "core/lab/bench/run_bench.h"

#include "core/lab/bench/pass_shapes.h"
#include "core/lab/bench/run_report.h"
#include "core/pipeline/small_request.h"
#include "support/stop_after.h"

namespace faststar {
namespace {

using test::TempDir;

/// A dense and a reduced variant on one small model.
struct SmallBench {
  explicit SmallBench(const TempDir& folder, at::Device device)
      : dense(test::small_request(folder, device)),
        reduced(test::small_request(folder, device, {{"output", (folder / "r.mp4").string()}, {"reduce", "faststar"}})),
        model(dense.setup, Residency::everything),
        pipeline(model),
        monitor(model.device()) {
    dense.existing = reduced.existing = Existing::replace;
    variants.push_back({.name = "dense", .plan = make_plan(pipeline, dense)});
    variants.push_back({.name = "reduced", .plan = make_plan(pipeline, reduced)});
  }

  BenchReport run(const BenchCounts& counts) {
    SilentProgress progress;
    const BenchContext context{.ceilings = {.product_flops = 1e12, .copied_bytes = 1e10}};
    return report_runs(variants, run_variants(model, variants, counts, monitor, progress), context);
  }

  Request dense, reduced;
  Model model;
  Pipeline pipeline;
  GpuMonitor monitor;
  std::vector<BenchVariant> variants;
};

double sum_of(const nlohmann::ordered_json& values) {
  double sum = 0;
  for (const auto& value : values) sum += value.get<double>();
  return sum;
}

TEST_CASE("the stages of a run add up to its total, and warm-up runs do not count", "[bench]") {
  const TempDir folder;
  SmallBench bench(folder, GENERATE(from_range(test::test_devices())));
  const auto facts = bench.run({.runs = 1, .warm_up = 1}).facts;
  REQUIRE(facts["variants"].size() == 2);
  for (const auto& variant : facts["variants"]) {
    REQUIRE(variant["runs"].size() == 2);
    CHECK(variant["runs"][0]["warm_up"] == true);
    const auto& seconds = variant["runs"][1]["seconds"];
    CHECK(sum_of(variant["runs"][1]["step_seconds"]) <= seconds["tokens"].get<double>());
    double stages = 0;
    for (const auto& row : variant["stages"]) {
      REQUIRE(row["seconds"]["values"].size() == 1);
      if (row["stage"] != "total") stages += row["seconds"]["median"].get<double>();
    }
    CHECK(stages == Approx(seconds["total"].get<double>()));
    CHECK(variant["peak_bytes"].get<double>() > 1e6);
    CHECK(variant["video"]["bytes"].get<int64_t>() > 0);
  }
  CHECK(facts["variants"][0]["speed_up"] == 1);
}

TEST_CASE("a reduced variant computes fewer tokens and FLOP, in the scales it reduces alone", "[bench]") {
  const TempDir folder;
  SmallBench bench(folder, at::kCPU);
  const auto facts = bench.run({.runs = 1, .warm_up = 0}).facts;
  const auto& dense = facts["variants"][0]["stages"];
  const auto& reduced = facts["variants"][1]["stages"];
  REQUIRE(dense.size() == reduced.size());
  int fewer = 0;
  for (size_t i = 0; i < dense.size(); ++i) {
    if (!dense[i].contains("scale")) continue;
    CHECK(dense[i]["computed"] == dense[i]["tokens"]);
    CHECK(dense[i]["rows"] == "2");
    const bool less = reduced[i]["computed"].get<int64_t>() < dense[i]["computed"].get<int64_t>();
    CHECK(less == (reduced[i]["flop"].get<double>() < dense[i]["flop"].get<double>()));
    fewer += less ? 1 : 0;
  }
  CHECK(fewer == 4);
  CHECK(facts["variants"][1]["parts"]["seconds"]["reduction"].get<double>() > 0);
}

TEST_CASE("the seconds of a report share one unit with its FLOP/s", "[bench]") {
  const TempDir folder;
  SmallBench bench(folder, at::kCPU);
  const auto facts = bench.run({.runs = 1, .warm_up = 0}).facts;
  for (const auto& row : facts["variants"][0]["stages"]) {
    if (!row.contains("flops")) continue;
    CHECK(row["flops"].get<double>() == Approx(row["flop"].get<double>() / row["seconds"]["median"].get<double>()));
    CHECK(row["ceiling_share"].get<double>() == Approx(row["flops"].get<double>() / 1e12));
  }
}

TEST_CASE("a stop that is asked for ends the runs", "[bench]") {
  const TempDir folder;
  SmallBench bench(folder, at::kCPU);
  test::StopAfter progress(3);
  const Error error =
      test::error_of([&] { run_variants(bench.model, bench.variants, {.runs = 2}, bench.monitor, progress); });
  CHECK(error.kind() == ErrorKind::interrupted);
}

TEST_CASE("the shapes of a run count every pass once", "[bench]") {
  const TempDir folder;
  SmallBench bench(folder, at::kCPU);
  const Plan& plan = bench.variants[1].plan;
  int passes = 0;
  for (const CountedShape& counted : pass_shapes(plan)) {
    passes += counted.passes;
    CHECK(counted.shape.keys > counted.shape.tokens);
  }
  CHECK(passes == static_cast<int>(steps_to_run(plan.work).size()));
}

}  // namespace
}  // namespace faststar
