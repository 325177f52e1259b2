#include "core/lab/train/star_objective.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <map>

#include "core/lab/train/small_networks.h"
#include "core/model/pyramid/codes.h"
#include "core/model/star/test_observer.h"

namespace faststar {
namespace {

constexpr int kClipLatents = 2;
constexpr int64_t kTextLength = 5;

/// An image and two video clips; and half of the first one where asked for.
struct Fixture {
  explicit Fixture(at::Device device, bool half_clip = false)
      : device(device),
        pyramid(test::small_pyramid()),
        layout(star_layout(test::kSmallStar, test::kSmallT5)),
        weights(test::initial_star_vector(layout, device)),
        quantizer(pyramid, device),
        objective(quantizer, PackedClips(pyramid, packed_video(2, kClipLatents, half_clip), kTextLength),
                  {.plan = {.star = test::kSmallStar, .t5 = test::kSmallT5}, .dtype = at::kFloat}, device) {
    const auto numbers = at::TensorOptions(device).dtype(at::kFloat);
    batch = {.features = test::seeded_randn({2, 64, 1 + 2 * kClipLatents, 12, 21}, 4, device),
             .objects = at::zeros({2, 1 + 2 * kClipLatents, 12, 21}, numbers),
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

/// What generation of a video of so many latents says at every step when it is told the true bits: logit differences
/// [t h w, d].
std::vector<Tensor> forced_logits(const Fixture& f, int64_t clip, const Schedule& schedule) {
  const BoundParameters bound(f.layout, f.weights, at::kFloat);
  const StarTransformer star({bound.source(kStarPrefix), f.device, at::kFloat}, test::kSmallStar);
  const T5Encoder t5({bound.source(kT5Prefix), f.device, at::kFloat}, test::kSmallT5);
  const Repetitions repetitions = {f.pyramid.repetitions, f.pyramid.repetitions};
  const Tensor features = f.batch.features.narrow(0, clip, 1).narrow(2, 0, schedule.latent_frames());
  const auto bits = condition_bits(features, schedule, repetitions, 100);
  std::vector<Tensor> differences;
  test::TestObserver observer;
  observer.bits = [&](const StepResult& result) {
    const Tensor pairs = result.logits[0].unflatten(-1, {-1, 2});
    differences.push_back(pairs.select(-1, 1) - pairs.select(-1, 0));
    return bits[static_cast<size_t>(result.step.index)];
  };
  generate(star, schedule, {.repetitions = repetitions, .semantic_scales = 8, .guidance = {GuidanceMethod::cfg, 1}},
           {.text = {.cond = t5(f.batch.ids[clip])}}, &observer);
  return differences;
}

/// The same of the repetitions that `f` trains: of the semantic and of the detail scales of every clip.
std::vector<Tensor> forced_logits_of_heads(const Fixture& f, int64_t clip, int latents) {
  const Schedule schedule = make_schedule(0.562, "0.06M", latents, kClipLatents);
  const auto forced = forced_logits(f, clip, schedule);
  std::map<int, std::vector<Tensor>> of_heads;
  for (const Step& step : schedule.steps({f.pyramid.repetitions, f.pyramid.repetitions})) {
    const int k = schedule.index_in_clip(step.scale);
    if (step.repetition != f.batch.repetition[k].item<int64_t>()) continue;
    of_heads[2 * step.clip + (k < 8 ? 0 : 1)].push_back(forced.at(static_cast<size_t>(step.index)));
  }
  std::vector<Tensor> joined;
  for (const auto& [head, logits] : of_heads) joined.push_back(at::cat(logits));
  return joined;
}

TEST_CASE("a packed sequence gives the logits that generation gives step by step", "[train]") {
  const Fixture f(GENERATE(from_range(test::test_devices())), /*half_clip=*/true);
  const c10::NoGradGuard no_grad;
  const QuantizerTrace trace = f.objective.trace(f.batch, nullptr);
  const auto packed =
      f.objective.bit_logits({f.layout, f.weights, at::kFloat}, f.batch, f.objective.packed().pack(trace.inputs, 2));
  REQUIRE(packed.size() == 8);  // two heads of image, first and second clip, and half of the first
  for (const int64_t clip : {0, 1}) {
    const auto whole = forced_logits_of_heads(f, clip, 1 + 2 * kClipLatents);
    const auto half = forced_logits_of_heads(f, clip, 1 + kClipLatents / 2);
    REQUIRE(whole.size() == 6);
    REQUIRE(half.size() == 4);
    for (size_t i = 0; i < packed.size(); ++i) {
      CAPTURE(clip, i);
      CHECK(test::relative_error(packed[i][clip], i < 6 ? whole[i] : half[i - 4]) < 2e-4);
    }
  }
}

TEST_CASE("half of a clip counts half of a clip, and is spoiled as the whole one", "[train]") {
  const Fixture whole(at::kCPU), f(at::kCPU, /*half_clip=*/true);
  const auto names = StarObjective::statistics(f.pyramid, packed_video(2, kClipLatents, true));
  CHECK(names[1 + 2 * 11] == "video 2 1x1");
  CHECK(names[1 + 3 * 11] == "half 1 1x1");
  StarBatch spoiled = f.batch;
  spoiled.noise = at::zeros_like(f.batch.noise);
  spoiled.noise.select(1, 3).fill_(1);  // the first video clip, a quarter of its bits
  spoiled.noise.select(1, 6).fill_(1);
  const auto losses = [&](const Fixture& fixture) {
    const c10::NoGradGuard no_grad;
    return fixture.objective({fixture.layout, fixture.weights, at::kFloat}, spoiled).statistics;
  };
  const Tensor with = losses(f), without = losses(whole);
  CHECK(test::relative_error(with.narrow(0, 1, 33), without.narrow(0, 1, 33)) < 1e-5);
  const auto of_clip = [&](int64_t clip) { return with.narrow(0, 1 + 11 * clip, 11); };
  const auto mean = [&](const Tensor& scales) {
    Tensor weight = at::zeros({11});
    for (int64_t k = 0; k < 11; ++k) {
      const Scale& scale = f.pyramid.scales[static_cast<size_t>(k)];
      weight[k] = std::pow(static_cast<double>(scale.h) * scale.w, .45);
    }
    return (scales * weight).sum().item<double>() / weight.sum().item<double>();
  };
  CHECK(with[0].item<double>() ==
        Approx(.4 * mean(of_clip(0)) + .6 * (.4 * mean(of_clip(1)) + .4 * mean(of_clip(2)) + .2 * mean(of_clip(3))))
            .epsilon(1e-5));
}

TEST_CASE("the loss of a scale is the mean cross-entropy of its bits", "[train]") {
  const Fixture f(at::kCPU);
  const BoundParameters bound(f.layout, f.weights, at::kFloat);
  const c10::NoGradGuard no_grad;
  const Tensor statistics = f.objective(bound, f.batch).statistics;
  REQUIRE(statistics.size(0) == 1 + 33);
  const QuantizerTrace trace = f.objective.trace(f.batch, nullptr);
  const auto packed = f.objective.bit_logits(bound, f.batch, f.objective.packed().pack(trace.inputs, 2));
  // The first scale of the image clip: one token of 16 bits.
  const Tensor p = packed[0].narrow(1, 0, 1).squeeze(1).sigmoid();                     // [B, 16]
  const Tensor bits = trace.targets[0].view({2, -1, 16}).select(1, 0).to(at::kFloat);  // [B, 16]
  const Tensor entropy = -(bits * p.log() + (1 - bits) * (1 - p).log()).mean();
  CHECK(statistics[1].item<double>() == Approx(entropy.item<double>()).epsilon(1e-4));
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

TEST_CASE("a feature has what covers it in its own frames and in those of the latent before", "[train]") {
  const at::Device device = GENERATE(from_range(test::test_devices()));
  Tensor coverage = at::zeros({2, 1, 13, 32, 48}, device);
  coverage[1][0][5][17][33] = .25;  // latent 2 is frames 5 to 8; below, on the right
  coverage[1][0][0][0][0] = 1;
  Tensor expected = at::zeros({2, 4, 2, 3}, device);
  expected[1][2][1][2] = expected[1][3][1][2] = .25;
  expected[1][0][0][0] = expected[1][1][0][0] = 1;
  CHECK(test::same(objects_in_features(coverage), expected));
}

TEST_CASE("tokens with objects count as much more as asked for, in a mean of weights", "[train]") {
  const at::Device device = GENERATE(from_range(test::test_devices()));
  const Scale scale{2, 1, 2};
  const Tensor logits = test::seeded_randn({1, 4, 3}, 1, device);  // two latents of 1 x 2 tokens
  const Tensor bits = test::seeded_randn({1, 4, 3}, 2, device).gt(0);
  Tensor objects = at::zeros({1, 2, 4, 6}, device);
  objects[0][1][3][5] = .5;  // in the last of the four tokens
  const Tensor losses = at::softplus(at::where(bits, -logits, logits)).mean(-1).flatten();  // of every token
  const auto loss = [&](double object) { return scale_loss(logits, bits, scale, objects, object).item<double>(); };
  CHECK(loss(0) == Approx(losses.mean().item<double>()));
  const Tensor weights = at::tensor({1., 1., 1., 3.}).to(losses.options());
  CHECK(loss(4) == Approx((losses * weights).sum().item<double>() / 6));
}

}  // namespace
}  // namespace faststar
