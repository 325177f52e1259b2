#include "core/train/star_objective.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/pyramid/conditioning.h"
#include "core/star/generator.h"
#include "core/train/gradient_step.h"
#include "core/train/small_networks.h"

namespace faststar {
namespace {

constexpr int kClipLatents = 2;
constexpr int64_t kTextLength = 5;

/// An image and two video clips, one clip batch after the other.
struct Fixture {
  explicit Fixture(at::Device device)
      : device(device),
        pyramid(test::small_pyramid()),
        layout(star_layout(test::kSmallStar, test::kSmallT5)),
        weights(test::initial_star_vector(layout, device)),
        quantizer(pyramid, device),
        objective(quantizer, PackedClips(pyramid, {1, kClipLatents, kClipLatents}, kTextLength),
                  {.star = test::kSmallStar, .t5 = test::kSmallT5, .dtype = at::kFloat}, device) {
    const auto numbers = at::TensorOptions(device).dtype(at::kFloat);
    batch = {.features = test::seeded_randn({2, 64, 1 + 2 * kClipLatents, 12, 21}, 4, device),
             .ids = (test::seeded_randn({2, kTextLength}, 5, device).abs() * 10).to(at::kLong).clamp_max(39),
             .noise = at::ones({2, 7}, numbers),
             .repetition = at::tensor({1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}, at::kLong).to(device),
             .counter = at::zeros({1}, numbers.dtype(at::kLong))};
  }

  at::Device device;
  PyramidShape pyramid;
  ParameterLayout layout;
  Tensor weights;
  ResidualQuantizer quantizer;
  StarObjective objective;
  StarBatch batch;
};

/// What generation says at every step when it is told the true bits: logit differences [t h w, d].
std::vector<Tensor> forced_logits(const Fixture& f, int64_t clip) {
  const BoundParameters bound(f.layout, f.weights, at::kFloat);
  const StarTransformer star({bound.source(kStarPrefix), f.device, at::kFloat}, test::kSmallStar);
  const T5Encoder t5({bound.source(kT5Prefix), f.device, at::kFloat}, test::kSmallT5);
  const Schedule schedule = make_schedule(0.562, "0.06M", 1 + 2 * kClipLatents, kClipLatents);
  const Repetitions repetitions = {f.pyramid.repetitions, f.pyramid.repetitions};
  const auto bits = condition_bits(f.batch.features.narrow(0, clip, 1), schedule, repetitions, 100);
  Generator generator(star, schedule,
                      {.repetitions = repetitions, .semantic_scales = 8, .guidance = {GuidanceMethod::cfg, 1}});
  const Tensor text = t5(f.batch.ids[clip]);
  generator.set_text({text, text});
  std::vector<Tensor> differences;
  generator.set_observer([&](const StepResult& result) {
    const Tensor pairs = result.logits[0].unflatten(-1, {-1, 2});
    differences.push_back(pairs.select(-1, 1) - pairs.select(-1, 0));
    return bits[static_cast<size_t>(result.step.index)];
  });
  generator.run();
  return differences;
}

TEST_CASE("a packed sequence gives the logits that generation gives step by step", "[train]") {
  const Fixture f(GENERATE(from_range(test::test_devices())));
  const c10::NoGradGuard no_grad;
  const QuantizerTrace trace = f.objective.trace(f.batch, nullptr);
  const auto packed =
      f.objective.bit_logits({f.layout, f.weights, at::kFloat}, f.batch, f.objective.packed().pack(trace.inputs, 2));
  const Schedule schedule = make_schedule(0.562, "0.06M", 1 + 2 * kClipLatents, kClipLatents);
  const auto steps = schedule.steps({f.pyramid.repetitions, f.pyramid.repetitions});
  for (const int64_t clip : {0, 1}) {
    const auto forced = forced_logits(f, clip);
    REQUIRE(forced.size() == steps.size());
    std::vector<std::vector<Tensor>> of_heads(packed.size());  // semantic and detail of every clip
    for (const Step& step : steps) {
      const int k = schedule.index_in_clip(step.scale);
      if (step.repetition != f.batch.repetition[k].item<int64_t>()) continue;
      of_heads[static_cast<size_t>(2 * step.clip + (k < 8 ? 0 : 1))].push_back(forced[static_cast<size_t>(step.index)]);
    }
    for (size_t i = 0; i < packed.size(); ++i) {
      CAPTURE(clip, i);
      CHECK(test::relative_error(packed[i][clip], at::cat(of_heads[i])) < 2e-4);
    }
  }
}

TEST_CASE("the loss of a scale is the mean cross-entropy of its bits", "[train]") {
  const Fixture f(at::kCPU);
  const BoundParameters bound(f.layout, f.weights, at::kFloat);
  const ScaleScores scores = f.objective.score(bound, f.batch);
  REQUIRE(scores.loss.size(0) == 33);
  const c10::NoGradGuard no_grad;
  const QuantizerTrace trace = f.objective.trace(f.batch, nullptr);
  const auto packed = f.objective.bit_logits(bound, f.batch, f.objective.packed().pack(trace.inputs, 2));
  // The first scale of the image clip: one token of 16 bits.
  const Tensor p = packed[0].narrow(1, 0, 1).squeeze(1).sigmoid();                     // [B, 16]
  const Tensor bits = trace.targets[0].view({2, -1, 16}).select(1, 0).to(at::kFloat);  // [B, 16]
  const Tensor entropy = -(bits * p.log() + (1 - bits) * (1 - p).log()).mean();
  CHECK(scores.loss[0].item<double>() == Approx(entropy.item<double>()).epsilon(1e-4));
  CHECK(scores.accuracy[0].item<double>() == Approx(p.gt(0.5).eq(bits).to(at::kDouble).mean().item<double>()));
}

TEST_CASE("dropped texts are replaced by the learned unconditional one", "[train]") {
  Fixture f(at::kCPU);
  const BoundParameters bound(f.layout, f.weights, at::kFloat);
  const c10::NoGradGuard no_grad;
  const auto first_logits = [&] {
    const QuantizerTrace trace = f.objective.trace(f.batch, nullptr);
    return f.objective.bit_logits(bound, f.batch, f.objective.packed().pack(trace.inputs, 2))[0].clone();
  };
  const Tensor with_text = first_logits();
  f.batch.noise.select(1, 6).fill_(0);
  const Tensor without = first_logits();
  f.batch.ids = f.batch.ids.flip(1).contiguous();
  CHECK(test::same(first_logits(), without));
  CHECK_FALSE(test::same(with_text, without));
}

TEST_CASE("transformer and text encoder learn a batch", "[train]") {
  const Fixture f(GENERATE(from_range(test::test_devices())));
  OptimizerState state = initial_state(f.weights);
  const auto context = make_step_context(f.layout, state.weights, at::kFloat, Execution::eager);
  GradientStep step(context, [&](const BoundParameters& bound) { return f.objective(bound, f.batch); });
  const Optimizer optimizer(f.layout, {.beta2 = 0.95, .weight_decay = 0.03});
  std::vector<double> losses;
  for (int i = 0; i < 8; ++i) {
    losses.push_back(step()[0].item<double>());
    optimizer.update(state, context.gradient, 3e-3, i);
  }
  CHECK(losses.back() < losses.front() - 0.02);
  const auto gradients = f.layout.split(context.gradient);
  for (const auto& [name, gradient] : gradients) {
    CAPTURE(name);
    if (name == "transformer.cfg_uncond") continue;  // no text was dropped
    CHECK(gradient.abs().max().item<double>() > 0);
  }
}

}  // namespace
}  // namespace faststar
