#include "core/model/star/shared_blocks.h"

#include <ATen/ATen.h>

#include "core/model/star/generator.h"
#include "core/model/star/small_model.h"
#include "support/group.h"
#include "support/support.h"

namespace faststar {
namespace {

/// A small model over two video clips of two frames, whose last scales are long enough to share.
struct SharedRun {
  explicit SharedRun(int64_t kv_heads = 2)
      : model({make_random_weights(1), at::kCPU, at::kFloat}, architecture(kv_heads)),
        schedule(make_schedule(0.562, "0.06M", 5, 2)) {
    settings.repetitions = {std::vector<int>(11, 1), std::vector<int>(11, 1)};
    settings.repetitions.video.back() = 2;
    settings.semantic_scales = 8;
    settings.seed = 5;
    settings.sampling = Sampling::greedy;
    input.text.cond = test::seeded_randn({6, test::kSmallModel.text_width}, 2);
  }
  static StarArchitecture architecture(int64_t kv_heads) {
    StarArchitecture arch = test::kSmallModel;
    arch.kv_heads = kv_heads;
    arch.heads = 2 * kv_heads;
    return arch;
  }

  StarTransformer model;
  Schedule schedule;
  GenerationSettings settings;
  GenerationInput input;
};

/// The largest difference of logits that other sums leave, as a share of the largest one.
constexpr double kRounding = 1e-5;

struct Drawn {
  std::vector<Tensor> logits, bits;
  Tensor summed;
};

/// The run of a process; every step goes on with the bits of `forced`, when it is given.
Drawn draw(const SharedRun& run, ProcessGroup* group, const Drawn* forced = nullptr) {
  struct Watch final : GenerationObserver {
    Tensor on_bits(const StepResult& result) override {
      drawn.logits.push_back(result.logits);
      drawn.bits.push_back(result.bits);
      return forced ? forced->bits[drawn.bits.size() - 1] : result.bits;
    }
    Drawn drawn;
    const Drawn* forced = nullptr;
  } watch;
  watch.forced = forced;
  watch.drawn.summed = generate(run.model, run.schedule, run.settings, run.input, &watch, group);
  return watch.drawn;
}

/// The same bits in all processes, and those of one alone but where its logits for 0 and 1 are as good as equal.
void check_shared(const SharedRun& run, int processes) {
  const c10::InferenceMode inference;
  const Drawn alone = draw(run, nullptr);
  const auto shared = test::in_group(processes, [&](ProcessGroup& group) { return draw(run, &group, &alone); });
  for (const Drawn& drawn : shared) {
    REQUIRE(drawn.bits.size() == alone.bits.size());
    for (size_t step = 0; step < alone.bits.size(); ++step) {
      CAPTURE(step);
      CHECK(test::same(drawn.bits[step], shared[0].bits[step]));
      CHECK(test::relative_error(drawn.logits[step], alone.logits[step]) < kRounding);
      const int64_t flips = drawn.bits[step].ne(alone.bits[step]).sum().item<int64_t>();
      CHECK(flips * 10'000 <= drawn.bits[step].numel());
    }
    CHECK(test::same(drawn.summed, alone.summed));
  }
}

}  // namespace

TEST_CASE("several processes compute the passes of one", "[star][group]") {
  const int processes = GENERATE(2, 4);
  CAPTURE(processes);
  check_shared(SharedRun(), processes);
}

TEST_CASE("processes that do not divide heads, tokens or rows share what they can", "[star][group]") {
  const auto [processes, kv_heads] = GENERATE(std::pair(2, 1), std::pair(3, 2), std::pair(5, 4));
  CAPTURE(processes, kv_heads);
  check_shared(SharedRun(kv_heads), processes);
}

TEST_CASE("every reduction method keeps the tokens that it keeps in one process", "[star][group][reduce]") {
  SharedRun run;
  run.settings.reduction.method =
      GENERATE(ReductionMethod::faststar, ReductionMethod::fastvar, ReductionMethod::sparsevar, ReductionMethod::tome,
               ReductionMethod::stepvar, ReductionMethod::random, ReductionMethod::skip);
  check_shared(run, 2);
}

TEST_CASE("guidance works as in one process", "[star][group]") {
  SharedRun run;
  SECTION("without guidance all processes share the one row") { run.settings.guidance.scale = 1; }
  SECTION("reused guidance runs one row") { run.settings.guidance.reuse = {.passes = GuidanceReuse::full}; }
  SECTION("the negative prompt has another length") {
    run.input.text.uncond = test::seeded_randn({9, test::kSmallModel.text_width}, 9);
  }
  SECTION("CFG") { run.settings.guidance = {.method = GuidanceMethod::cfg, .scale = 3}; }
  SECTION("random bits are those of one process") { run.settings.sampling = Sampling::philox; }
  check_shared(run, 2);
}

TEST_CASE("a clip of the interactive mode is shared with its conditions", "[star][group]") {
  SharedRun run;
  run.schedule = continuation_schedule(0.562, "0.06M", 2);
  const Scale& full = run.schedule.full_scale(0);
  run.input.condition = InteractiveCondition{.former = test::seeded_randn({1, 64, full.t, full.h, full.w}, 7),
                                             .first = test::seeded_randn({1, 64, 1, full.h, full.w}, 8),
                                             .detail_frames = {0, 1}};
  check_shared(run, 2);
}

TEST_CASE("a pass is shared by rows, then by tokens and kv heads", "[star][group]") {
  const auto layout = [](int64_t processes, int64_t rows, int64_t tokens, int64_t kv_heads) {
    const PassLayout made = layout_of(processes, rows, tokens, kv_heads, at::kCUDA);
    return std::pair(made.rows, made.tokens);
  };
  using Pair = std::pair<int64_t, int64_t>;
  CHECK(layout(1, 2, 72'000, 8) == Pair(1, 1));
  CHECK(layout(2, 2, 72'000, 8) == Pair(2, 1));
  CHECK(layout(8, 2, 72'000, 8) == Pair(2, 4));
  CHECK(layout(8, 1, 72'000, 8) == Pair(1, 8));  // guidance is reused, or there is none
  CHECK(layout(3, 2, 72'000, 8) == Pair(1, 3));
  CHECK(layout(8, 1, 72'000, 2) == Pair(1, 2));
  CHECK(layout(2, 2, kMinSharedTokens / 2 - 1, 8) == Pair(1, 1));  // too short
}

}  // namespace faststar
