#include "core/model/reduce/gate.h"

#include "support/support.h"

namespace faststar {
namespace {

const Repetitions kRepetitions720{std::vector<int>(15, 3), {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 1}};
const Repetitions kRepetitions480{std::vector<int>(14, 3), {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1}};

struct Counted {
  int scale;
  int repetition;
  int64_t kept;
  bool operator==(const Counted&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Counted& pass) {
  return stream << "(" << pass.scale << ", " << pass.repetition << "): " << pass.kept;
}

/// The reduced passes of a run.
std::vector<Counted> reduced_passes(const ReductionSettings& settings, const Schedule& schedule,
                                    const Repetitions& repetitions) {
  const ReductionGate gate(settings, schedule, repetitions);
  std::vector<Counted> passes;
  for (const Step& step : schedule.steps(repetitions)) {
    if (gate.reduces(step)) {
      passes.push_back({step.scale, step.repetition, gate.kept_tokens(step)});
    } else {
      CHECK(gate.kept_tokens(step) == schedule.scales()[step.scale].tokens());
    }
  }
  return passes;
}

Error refused(const ReductionSettings& settings, int latent_frames = 21) {
  return test::error_of(
      [&] { const ReductionGate gate(settings, make_schedule(0.562, "0.90M", latent_frames, 20), kRepetitions720); });
}

TEST_CASE("720p keeps the paper's counts, and the last of several repetitions is full", "[reduce]") {
  const Schedule schedule = make_schedule(0.562, "0.90M", 21, 20);
  ReductionSettings settings{.method = ReductionMethod::faststar};
  CHECK(reduced_passes(settings, schedule, kRepetitions720) ==
        std::vector<Counted>{{26, 0, 9216}, {26, 1, 9216}, {27, 0, 14448}, {28, 0, 19080}, {29, 0, 21600}});
  settings.ratios = {0.2, 0.3, 0.5, 0.6};
  CHECK(reduced_passes(settings, schedule, kRepetitions720).back() == Counted{29, 0, 28800});
}

TEST_CASE("480p reduces its own last four scales", "[reduce]") {
  const Schedule schedule = make_schedule(0.562, "0.40M", 21, 20);
  CHECK(
      reduced_passes({.method = ReductionMethod::random}, schedule, kRepetitions480) ==
      std::vector<Counted>{{24, 0, 4032}, {24, 1, 4032}, {25, 0, 8064}, {25, 1, 8064}, {26, 0, 12384}, {27, 0, 9540}});
}

TEST_CASE("the clip of a story is a video clip, though a schedule's first", "[reduce]") {
  const Schedule schedule = continuation_schedule(0.562, "0.40M", 20);
  const auto passes = reduced_passes({.method = ReductionMethod::faststar}, schedule, kRepetitions480);
  REQUIRE(passes.size() == 8);
  CHECK(passes.front() == Counted{10, 0, 4032});
  CHECK(passes.back() == Counted{13, 1, 9540});
}

TEST_CASE("counts are N less the floor of the removed share for every scale", "[reduce]") {
  const auto [size, repetitions] = GENERATE(std::tuple("0.90M", kRepetitions720), std::tuple("0.40M", kRepetitions480));
  const Schedule schedule = make_schedule(0.562, size, 21, 20);
  const double ratio = GENERATE(0.1, 0.35, 0.7, 0.9999);
  ReductionSettings settings{.method = ReductionMethod::random};
  settings.scales.last = schedule.scales_per_clip();
  settings.ratios = {ratio};
  const auto points = static_cast<int64_t>(ratio * 10000 + 0.5);
  for (const Counted& pass : reduced_passes(settings, schedule, repetitions)) {
    const int64_t tokens = schedule.scales()[pass.scale].tokens();
    CHECK(pass.kept == std::max<int64_t>(1, tokens - tokens * points / 10000));
  }
}

TEST_CASE("scales can be listed, within a clip or over the first two", "[reduce]") {
  const Schedule schedule = make_schedule(0.562, "0.90M", 41, 20);
  const auto absolute = GENERATE(std::vector<int>{13, 14}, std::vector<int>{28, 29});
  ReductionSettings settings{.method = ReductionMethod::faststar};
  settings.scales.listed = absolute;
  settings.ratios = {0.5};
  CHECK(reduced_passes(settings, schedule, kRepetitions720) ==
        std::vector<Counted>{{28, 0, 15900}, {29, 0, 36000}, {43, 0, 15900}, {44, 0, 36000}});
}

TEST_CASE("counts can be aligned", "[reduce]") {
  const Schedule schedule = make_schedule(0.562, "0.90M", 41, 20);
  ReductionSettings settings{.method = ReductionMethod::faststar};
  settings.scales.last = 1;
  settings.ratios = {0.7};
  settings.keep_align = 128;
  CHECK(reduced_passes(settings, schedule, kRepetitions720).front().kept == 21632);
}

TEST_CASE("skip leaves out whole scales of the last clip, as many tokens as the ratios would", "[reduce]") {
  const ReductionSettings settings{.method = ReductionMethod::skip};
  CHECK(reduced_passes(settings, make_schedule(0.562, "0.90M", 21, 20), kRepetitions720) ==
        std::vector<Counted>{{29, 0, 0}});
  CHECK(reduced_passes(settings, make_schedule(0.562, "0.40M", 21, 20), kRepetitions480) ==
        std::vector<Counted>{{27, 0, 0}});
  CHECK(reduced_passes(settings, make_schedule(0.562, "0.90M", 41, 20), kRepetitions720).front().scale >= 30);
}

TEST_CASE("a ratio of zero, no method and a picture reduce nothing", "[reduce]") {
  const Schedule schedule = make_schedule(0.562, "0.90M", 21, 20);
  CHECK(reduced_passes({}, schedule, kRepetitions720).empty());
  CHECK(reduced_passes({.method = ReductionMethod::faststar, .ratios = {0}}, schedule, kRepetitions720).empty());
  ReductionSettings settings{.method = ReductionMethod::faststar};
  const Schedule picture = make_schedule(0.562, "0.90M", 1, 20);
  CHECK(reduced_passes(settings, picture, kRepetitions720).empty());
  settings.prune_image_clip = true;
  CHECK(reduced_passes(settings, picture, kRepetitions720).size() == 8);
}

TEST_CASE("settings that cannot work are usage errors", "[reduce]") {
  ReductionSettings settings{.method = ReductionMethod::faststar, .ratios = {20}};
  CHECK(refused(settings).kind() == ErrorKind::usage);
  CHECK(refused(settings).hint() == "did you mean 0.2?");
  settings.ratios = {0.1, 0.2};
  CHECK(std::string(refused(settings).what()) == "ratios: expected 1 or 4 (one per reduced scale), got 2");
  settings.ratios = {-0.1};
  CHECK(refused(settings).kind() == ErrorKind::usage);
  settings.ratios = {0.1};
  settings.scales.listed = {29, 28};
  CHECK(std::string(refused(settings).what()).find("ascending") != std::string::npos);
  settings.scales.listed = {30};
  CHECK(refused(settings).kind() == ErrorKind::usage);
  settings.scales.listed.clear();
  settings.scales.last = 16;
  CHECK(refused(settings).kind() == ErrorKind::usage);
}

TEST_CASE("a scale that the next clip attends to cannot be left out", "[reduce]") {
  ReductionSettings settings{.method = ReductionMethod::faststar, .ratios = {0.2, 0.3, 0.4, 1}};
  const ReductionGate one_clip(settings, make_schedule(0.562, "0.90M", 21, 20), kRepetitions720);
  CHECK(one_clip.kept_tokens({.scale = 29, .last_repetition = true}) == 0);
  CHECK(std::string(refused(settings, 41).what()).find("the next clip attends to its tokens") != std::string::npos);
}

TEST_CASE("tome cannot merge more than its sources", "[reduce]") {
  ReductionSettings settings{.method = ReductionMethod::tome, .ratios = {0.8}};
  settings.tome.dst_stride = {1, 2, 2};
  CHECK(std::string(refused(settings).what()).find("tome can merge at most 0.75") != std::string::npos);
  settings.tome.matching = Matching::alternate;
  settings.ratios = {0.6};
  CHECK(refused(settings).kind() == ErrorKind::usage);
  settings.tome.dst_stride = {2, 2};
  CHECK(refused(settings).kind() == ErrorKind::usage);
}

}  // namespace
}  // namespace faststar
