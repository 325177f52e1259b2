#include "core/lab/study/measured_run.h"

#include <ATen/ATen.h>

#include <chrono>

#include "core/lab/study/small_study.h"

namespace faststar {
namespace {

using test::SmallStudy;
using test::TempDir;

/// cos(2 pi frequency x) over the columns of a map.
Tensor wave(double frequency, at::Device device) {
  const Tensor row = (at::arange(16, at::kFloat) * (2 * M_PI * frequency)).cos();
  return row.expand({1, 2, 3, 8, 16}).contiguous().to(device);
}

TEST_CASE("high frequencies are those above half of Nyquist", "[study]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  CHECK(high_frequency_share(wave(1. / 8, device)) == Approx(0).margin(1e-6));
  CHECK(high_frequency_share(wave(3. / 8, device)) == Approx(1));
  CHECK(high_frequency_share(wave(1. / 8, device) + 2 * wave(3. / 8, device) + 5) == Approx(0.8));
  CHECK(high_frequency_share(at::ones({1, 2, 3, 8, 16})) == 0);
}

TEST_CASE("the parts of a pass add up to the time it took, and reduction is one of a reduced pass only", "[study]") {
  const TempDir folder;
  const SmallStudy study(folder, GENERATE(from_range(test::test_devices())));
  const auto method = GENERATE(ReductionMethod::none, ReductionMethod::faststar, ReductionMethod::fastvar,
                               ReductionMethod::tome, ReductionMethod::stepvar);
  const GenerationSettings settings = study.settings(method);
  const auto start = std::chrono::steady_clock::now();
  const auto by_step = time_parts(study.pipeline, study.schedule, settings, {.text = study.text});
  const std::chrono::duration<double, std::milli> whole = std::chrono::steady_clock::now() - start;
  const ReductionGate gate(settings.reduction, study.schedule, settings.repetitions);
  const auto steps = study.schedule.steps(settings.repetitions);
  REQUIRE(by_step.size() == steps.size());
  PartTimes sum;
  for (const Step& step : steps) {
    const PartTimes& times = by_step[static_cast<size_t>(step.index)];
    CHECK(times[PassPart::linear] > 0);
    CHECK(times[PassPart::attention] > 0);
    CHECK(times[PassPart::sampling] > 0);
    CHECK(times[PassPart::rest] > 0);
    if (gate.reduces(step)) CHECK(times[PassPart::reduction] > 0);
    if (method == ReductionMethod::none) CHECK(times[PassPart::reduction] == 0);
    sum += times;
  }
  CHECK(sum.total() <= whole.count());
}

TEST_CASE("timing the parts changes no result", "[study]") {
  const TempDir folder;
  const SmallStudy study(folder);
  const GenerationSettings settings =
      study.settings(GENERATE(ReductionMethod::none, ReductionMethod::faststar, ReductionMethod::fastvar));
  const auto codes = [&] { return study.pipeline.generate(study.schedule, settings, {.text = study.text}); };
  const Tensor expected = codes();
  PartTimer timer(study.pipeline.device());
  CHECK(test::same(codes(), expected));
  CHECK(timer.lap()[PassPart::linear] > 0);
}

TEST_CASE("passes taken from the dense run change nothing", "[study]") {
  const TempDir folder;
  const SmallStudy study(folder, GENERATE(from_range(test::test_devices())));
  const auto method = GENERATE(ReductionMethod::random, ReductionMethod::faststar, ReductionMethod::fastvar,
                               ReductionMethod::sparsevar, ReductionMethod::skip);
  const auto run = [&](const GenerationSettings& settings, const std::vector<Tensor>& given) {
    return measure_run(study.pipeline, study.schedule, settings, {.text = study.text, .given_bits = given});
  };
  const MeasuredRun dense = run(study.settings(ReductionMethod::none), {});
  const GenerationSettings settings = study.settings(method);
  const Tensor whole = run(settings, {}).codes;
  const size_t shared = shared_steps(settings, study.schedule);
  CHECK(shared >= 6 + 1);
  CHECK(
      test::same(run(settings, {dense.bits.begin(), dense.bits.begin() + static_cast<int64_t>(shared)}).codes, whole));
}

}  // namespace
}  // namespace faststar
