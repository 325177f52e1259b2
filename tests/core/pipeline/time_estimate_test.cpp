#include "core/pipeline/time_estimate.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/pipeline/run.h"
#include "core/pipeline/small_request.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

using test::TempDir;

constexpr Rates kEasyRates = {.linear = 1e9,
                              .attention = 1e8,
                              .pass = 0.001,
                              .row = 1e-5,
                              .text = 2e9,
                              .decoder = 5e9,
                              .file = 1e-7,
                              .video = 0.25,
                              .load = 1e9,
                              .start = 0.5};

/// A video of two scales in two clips: 1 and 4 tokens, then 3 times as many.
Workload easy_work() {
  Workload work{.star = {.hidden_size = 64, .heads = 4, .kv_heads = 2, .head_dim = 16, .ffn_width = 128, .layers = 2},
                .schedule = Schedule({{1, 1, 1}, {1, 2, 2}, {3, 1, 1}, {3, 2, 2}}),
                .repetitions = {{1, 1}, {1, 2}},
                .text_tokens = 10,
                .decoded_latents = 4,
                .measured = kEasyRates};
  return work;
}

TEST_CASE("a pass takes its products, its attention and its rows, or the least that any pass takes", "[plan]") {
  Workload work = easy_work();
  const Step last{.index = 4, .clip = 1, .scale = 3, .repetition = 1, .last_repetition = true};
  // Two rows of 12 tokens; weights of a layer: 64 x 64 twice, 64 x 32 twice, three of 64 x 128.
  const double linear = 2.0 * 24 * 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128) / 1e9;
  // Keys: its own tokens, the text, and the last scale of the first clip.
  const double attention = 4.0 * 24 * (12 + 10 + 4) * (4 * 16) * 2 / 1e8;
  CHECK(step_seconds(work, last) == Approx(linear + attention + 24e-5));
  work.measured.pass = 1;
  CHECK(step_seconds(work, last) == 1);
  const Step first{.index = 0};
  CHECK(step_seconds(work, first) == 1.5);  // with what a process meets once
  work.warm = true;
  CHECK(step_seconds(work, first) == 1);
}

TEST_CASE("the file of a video takes its pixels, and what lies between the stages", "[plan]") {
  const Workload work = easy_work();
  // 13 frames of 32 x 32 pixels
  CHECK(file_seconds(work) == Approx(0.25 + 13 * 32 * 32 * 1e-7));
  CHECK(load_seconds(work, 3'000'000) == Approx(0.003));
}

TEST_CASE("an estimate is measured when all rates are that the run depends on", "[plan]") {
  Workload work = easy_work();
  CHECK(is_measured(work, {}));
  work.source_frames = 1;
  CHECK_FALSE(is_measured(work, {}));
  work.measured.encoder = 1e9;
  CHECK(is_measured(work, {}));
  work.measured.load.reset();
  CHECK_FALSE(is_measured(work, {}));
  CHECK(is_measured(work, {.loads = false}));
  work.measured = {.decoder = 1, .file = 1, .video = 1};
  CHECK(is_measured(work, {.generates = false, .loads = false}));
}

TEST_CASE("a run in 8 bits needs the rates of 8 bits, and has an estimate without", "[plan]") {
  Workload work = easy_work();
  work.device = at::Device(at::kCUDA, 0);
  work.dtype = at::kBFloat16;
  work.fp8 = Fp8Passes(LinearPrecision::fp8, std::nullopt, work.schedule);
  CHECK_FALSE(is_measured(work, {}));
  work.measured = {};
  CHECK(std::isfinite(step_seconds(work, {.index = 1, .scale = 1})));
}

TEST_CASE("times are told in a unit that fits, with their source", "[plan]") {
  CHECK(time_text(TimeEstimate{.seconds = 6.54, .measured = true}) == "about 6.5 s (measured on this machine)");
  CHECK(time_text(TimeEstimate{.seconds = 14.2}) == "about 14 s (a guess; `faststar bench` measures it)");
  CHECK(time_text(TimeEstimate{.seconds = 1200, .measured = true}) == "about 20 min (measured on this machine)");
  CHECK_THAT(time_text(std::nullopt), ContainsSubstring("`faststar bench`"));
  CHECK(to_json(TimeEstimate{.seconds = 2})["estimate_source"] == "guess");
  CHECK(to_json(std::optional<TimeEstimate>{})["seconds_estimate"].is_null());
}

const RatesKey kKey = {"NVIDIA H200", "36x4096", "bf16", "fa3", "auto", "1.0"};

TEST_CASE("measured rates are found again for what they were measured with alone", "[plan]") {
  const TempDir folder;
  const fs::path path = folder / "cache/rates.json";
  RatesFile file(path);
  file.set(kKey, kEasyRates);
  file.set(kKey, {.linear = 2e9, .encoder = 3e9});
  file.write();
  const RatesFile again(path);
  Rates expected = kEasyRates;
  expected.linear = 2e9;
  expected.encoder = 3e9;
  CHECK(again.find(kKey) == expected);
  RatesKey other = kKey;
  other.precision = "fp8";
  CHECK(again.find(other) == Rates{});
}

TEST_CASE("rates of another version of the program are dropped", "[plan]") {
  const TempDir folder;
  RatesFile file(folder / "rates.json");
  file.set(kKey, kEasyRates);
  RatesKey newer = kKey;
  newer.program = "1.1";
  file.set(newer, kEasyRates);
  CHECK(file.find(kKey) == Rates{});
}

TEST_CASE("a damaged file of rates is ignored with one warning", "[plan]") {
  const TempDir folder;
  const std::string text =
      GENERATE(as<std::string>{}, "", "{", "[]", "{\"rates\": [{}]}", "{\"rates\": 3}",
               "{\"rates\": [{\"device\": \"NVIDIA H200\", \"network\": \"36x4096\", \"precision\": \"bf16\", "
               "\"attention\": \"fa3\", \"kernels\": \"auto\", \"program\": \"1.0\", \"measured\": {\"linear\": 0}}]}");
  test::write_text(folder / "rates.json", text);
  const test::CollectWarnings warnings;
  RatesFile file(folder / "rates.json");
  REQUIRE(warnings.lines().size() == 1);
  CHECK(warnings.has("rates.json: damaged"));
  CHECK(file.find(kKey) == Rates{});
  file.set(kKey, kEasyRates);
  file.write();
  CHECK(RatesFile(folder / "rates.json").find(kKey) == kEasyRates);
}

TEST_CASE("a plan without measurements is a guess that its stages add up to", "[plan]") {
  const TempDir folder;
  const Request request = test::small_request(folder, at::kCPU, {{"count", "3"}});
  Model model(request.setup);
  const Plan plan = make_plan(Pipeline(model), request);
  REQUIRE(plan.time);
  CHECK_FALSE(plan.time->measured);
  double sum = 0;
  for (const auto& [stage, cost] : plan.costs) sum += cost;
  CHECK(plan.time->seconds == Approx(sum));
}

}  // namespace
}  // namespace faststar
