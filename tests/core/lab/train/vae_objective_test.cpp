#include "core/lab/train/vae_objective.h"

#include <ATen/ATen.h>

#include "core/lab/train/small_networks.h"
#include "core/lab/world/world.h"

namespace faststar {
namespace {

TEST_CASE("the reconstruction loss adds pixels, edges, motion and areas", "[train]") {
  // d is 0.5 in one pixel of a grey frame and 0 elsewhere; the object covers just that pixel.
  const Tensor pixels = at::zeros({1, 3, 2, 4, 4});
  Tensor decoded = pixels.clone();
  decoded.select(2, 1).select(2, 1).select(2, 2).fill_(0.5);
  Tensor coverage = at::zeros({1, 1, 2, 4, 4});
  coverage.select(2, 1).select(2, 1).select(2, 2).fill_(1);
  const auto loss = [&](const VaeLossWeights& weights) {
    return reconstruction_loss(decoded, pixels, coverage, weights).item<double>();
  };
  // 32 pixels: one of weight 2 with sqrt(0.25 + 1e-6) + 0.25, the others sqrt(1e-6).
  const VaeLossWeights nothing{.object = 1, .spatial_gradient = 0, .temporal_difference = 0, .pooled = 0};
  const double pixel = (2 * (0.500001 + 0.25) + 31 * 1e-3) / 32;
  CHECK(loss(nothing) == Approx(pixel).epsilon(1e-4));
  VaeLossWeights squares = nothing;
  squares.squared = 3;
  CHECK(loss(squares) == Approx(pixel + 2 * 2 * 0.25 / 32).epsilon(1e-4));
  VaeLossWeights near = nothing;
  near.near_object = 2;  // all 32 pixels are near
  CHECK(loss(near) == Approx(pixel + 2 * (0.500001 + 0.25 + 31 * 1e-3) / 32).epsilon(1e-4));
  VaeLossWeights edges = nothing;
  edges.spatial_gradient = 1;  // a way in with weight 2 and one out with weight 1, of 24 pairs, in rows and in columns
  CHECK(loss(edges) == Approx(pixel + 2 * (2 * 0.5 + 0.5) / 24).epsilon(1e-4));
  VaeLossWeights motion = nothing;
  motion.temporal_difference = 1;  // one of 16 pairs
  CHECK(loss(motion) == Approx(pixel + 2 * 0.5 / 16).epsilon(1e-4));
  VaeLossWeights areas = nothing;
  areas.pooled = 1;  // one of two 4x4 means is 0.5 / 16
  CHECK(loss(areas) == Approx(pixel + 0.5 / 16 / 2).epsilon(1e-4));
}

struct VaeFixture {
  explicit VaeFixture(at::Device device, TrainedPart trained = TrainedPart::everything)
      : renderer(device),
        layout(vae_layout(test::kSmallVae)),
        weights(layout.join(initial_vae(test::kSmallVae, 1), "initial weights", device)),
        objective(renderer,
                  {.plan = {.architecture = test::kSmallVae, .pyramid = test::small_pyramid()},
                   .size = {.clips = 2, .frames = 5, .height = 48, .width = 64},
                   .trained = trained,
                   .dtype = at::kFloat},
                  device) {
    const World world({});
    const std::vector<ClipRecord> records = {world.draw(training_seed(0), 0), world.draw(training_seed(0), 1)};
    const auto numbers = at::TensorOptions(device).dtype(at::kFloat);
    batch = {.records = records_to_tensor(records).to(device),
             .crop = at::full({2, 4}, 0.5, numbers),
             .noise = at::ones({2, 4}, numbers),
             .kept = at::ones({2}, numbers),
             .counter = at::zeros({1}, numbers.dtype(at::kLong))};
  }

  ClipRenderer renderer;
  ParameterLayout layout;
  Tensor weights;
  VaeObjective objective;
  VaeBatch batch;
};

/// What eight steps on the fixture's one batch do.
struct ShortTraining {
  std::vector<double> losses;            ///< before each step
  std::map<std::string, double> change;  ///< the largest of each tensor
};

ShortTraining train_vae_shortly(const VaeFixture& f, CodesInLoop codes) {
  OptimizerState state = initial_state(f.weights);
  const auto context = make_step_context(f.layout, state.weights, at::kFloat, Execution::eager);
  GradientStep step(context, [&](const BoundParameters& bound) { return f.objective(bound, f.batch, codes); });
  const Optimizer optimizer(f.layout, {});
  ShortTraining training;
  for (int i = 0; i < 8; ++i) {
    training.losses.push_back(step()[0].item<double>());
    optimizer.update(state, context.gradient, 2e-3, i);
  }
  for (const auto& [name, difference] : f.layout.split(state.weights.detach() - f.weights)) {
    training.change[name] = difference.abs().max().item<double>();
  }
  return training;
}

TEST_CASE("the VAE learns a batch, the quantiser in the loop", "[train]") {
  const VaeFixture f(GENERATE(from_range(test::test_devices())));
  const ShortTraining training = train_vae_shortly(f, GENERATE(CodesInLoop::clean, CodesInLoop::noisy));
  CHECK(training.losses.back() < 0.8 * training.losses.front());
  CHECK(training.change.at("encoder.conv_in.conv.weight") > 0);
  CHECK(training.change.at("decoder.conv_out.conv.weight") > 0);
  CHECK(training.change.at("scale_learnable_parameters") == 0);
}

TEST_CASE("the decoder can be trained alone", "[train]") {
  const VaeFixture f(GENERATE(from_range(test::test_devices())), TrainedPart::decoder);
  const ShortTraining training = train_vae_shortly(f, CodesInLoop::clean);
  CHECK(training.losses.back() < training.losses.front());
  for (const auto& [name, change] : training.change) {
    CAPTURE(name);
    if (name.starts_with("encoder.") || name.starts_with("proj_down.")) CHECK(change == 0);
  }
  CHECK(training.change.at("decoder.conv_out.conv.weight") > 0);
}

TEST_CASE("features can be scaled to where the pyramid works", "[train]") {
  const VaeFixture f(at::kCPU);
  const Tensor k = f.objective.feature_scale({f.layout, f.weights, at::kFloat}, f.batch);
  const Tensor scaled = f.weights.clone();
  auto tensors = f.layout.split(scaled);
  tensors.at("proj_down.weight").mul_(k);
  tensors.at("proj_down.bias").mul_(k);
  const Tensor power = f.objective({f.layout, scaled, at::kFloat}, f.batch, CodesInLoop::clean).statistics[3];
  CHECK(power.item<double>() == Approx(0.5).epsilon(1e-3));
}

}  // namespace
}  // namespace faststar
