#include "core/lab/train/residual_quantizer.h"

#include <ATen/ATen.h>

#include "core/model/pyramid/codes.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr int kLatents = 3;

PyramidShape embedded_pyramid() {
  return {
      .scales = image_scales(0.562, "0.06M"), .repetitions = {2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1}, .semantic_scales = 8};
}

struct Case {
  explicit Case(at::Device device)
      : features(test::seeded_randn({1, 64, kLatents, 12, 21}, 3, device)),
        bits(condition_bits(features, schedule, {shape.repetitions, shape.repetitions}, 100)) {}

  PyramidShape shape = embedded_pyramid();
  Schedule schedule = make_schedule(0.562, "0.06M", kLatents, kLatents - 1);
  Tensor features;
  std::vector<Tensor> bits;
};

TEST_CASE("the quantiser of training adds up the codes of core/pyramid", "[train]") {
  const Case c(GENERATE(from_range(test::test_devices())));
  const Tensor expected = accumulated_features(c.bits, c.schedule, {c.shape.repetitions, c.shape.repetitions});
  const Tensor summed = ResidualQuantizer(c.shape, c.features.device()).quantize(frames_from_clips(c.features));
  CHECK(test::relative_error(clips_from_frames(summed, 1, 12, 21), expected) < 1e-5);
}

TEST_CASE("the trace shows the bits of the repetition asked for", "[train]") {
  const Case c(at::kCPU);
  const int repetition = GENERATE(0, 1);
  Tensor chosen = at::full({11}, repetition, at::kLong);
  chosen.narrow(0, 9, 2).fill_(0);  // the last two scales have one
  const QuantizerTrace trace =
      ResidualQuantizer(c.shape, at::kCPU).trace(frames_from_clips(c.features), nullptr, chosen);
  for (const Step& step : c.schedule.steps({c.shape.repetitions, c.shape.repetitions})) {
    const size_t k = static_cast<size_t>(c.schedule.index_in_clip(step.scale));
    if (step.repetition != chosen[static_cast<int64_t>(k)].item<int64_t>()) continue;
    CAPTURE(step.index);
    const FrameRange frames = c.schedule.frames_of(step.clip);
    const Tensor own = trace.targets[k].narrow(0, frames.begin, frames.end - frames.begin);  // [t, d, h w]
    const Tensor expected = c.bits[static_cast<size_t>(step.index)][0].flatten(1, 2).transpose(1, 2);
    CHECK(own.ne(expected.to(at::kBool)).sum().item<int64_t>() == 0);
  }
}

TEST_CASE("noise flips the share of bits asked for, and later iterations correct it", "[train]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const Case c(device);
  const ResidualQuantizer quantizer(c.shape, device);
  const Tensor frames = frames_from_clips(c.features);
  const auto error = [&](const Tensor& summed) { return (summed - frames).square().mean().item<double>(); };
  const auto noisy = [&](double flip, double kept, int64_t counter) {
    return quantizer.quantize(frames, {.flip = at::full({kLatents}, flip, frames.options()),
                                       .kept = at::full({kLatents}, kept, frames.options()),
                                       .counter = at::full({1}, counter, frames.options().dtype(at::kLong)),
                                       .seed = 7});
  };
  const Tensor clean = quantizer.quantize(frames);
  CHECK(test::same(noisy(0, 20, 0), clean));
  CHECK(test::same(noisy(0.1, 20, 5), noisy(0.1, 20, 5)));
  CHECK_FALSE(test::same(noisy(0.1, 20, 5), noisy(0.1, 20, 5000)));
  CHECK(error(noisy(0.1, 20, 0)) > error(clean));
  CHECK(error(noisy(0.5, 20, 0)) > error(noisy(0.1, 20, 0)));
  CHECK(test::same(noisy(0, 0, 0), at::zeros_like(frames)));
  CHECK(error(noisy(0, 10, 0)) > error(clean));
}

TEST_CASE("a pyramid shrinks in proportion", "[train]") {
  const PyramidShape shrunk = embedded_pyramid().shrunk_to(8, 14);
  CHECK(shrunk.scales.front() == Scale{1, 1, 1});
  CHECK(shrunk.scales[8].h == 5);  // 8 x 13 -> 5.3 x 8.7
  CHECK(shrunk.scales[8].w == 9);
  CHECK(shrunk.scales.back().h == 8);
  CHECK(shrunk.scales.back().w == 14);
  CHECK(shrunk.iterations() == 20);
}

}  // namespace
}  // namespace faststar
