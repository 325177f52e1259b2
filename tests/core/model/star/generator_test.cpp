#include "core/model/star/generator.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "core/base/weights/random_weights.h"
#include "core/model/pyramid/conditioning.h"
#include "core/model/star/small_model.h"
#include "support/support.h"

namespace faststar {
namespace {

/// A two-layer model over two video clips of two frames.
struct Fixture {
  explicit Fixture(at::Device device)
      : model({make_random_weights(1), device, at::kFloat}, test::kSmallModel),
        schedule(make_schedule(0.562, "0.06M", 5, 2)) {
    settings.repetitions = {std::vector<int>(11, 1), std::vector<int>(11, 1)};
    settings.repetitions.video.front() = 2;
    settings.semantic_scales = 8;
    settings.seed = 5;
    text.cond = test::seeded_randn({6, test::kSmallModel.text_width}, 2, device);
    text.uncond = model.unconditional_text(6);
  }

  StarTransformer model;
  Schedule schedule;
  GenerationSettings settings;
  TextFeatures text;
  c10::InferenceMode inference;
};

/// A run that keeps what each step produced.
struct Recorded {
  Tensor summed;
  std::vector<Tensor> bits;
  int passes = 0;
};

Recorded record(const Fixture& fixture, const std::vector<Tensor>& given = {}) {
  Recorded recorded;
  Generator generator(fixture.model, fixture.schedule, fixture.settings);
  generator.set_text(fixture.text);
  generator.set_given_bits(given);
  generator.set_observer([&](const StepResult& result) {
    recorded.bits.push_back(result.bits);
    return result.bits;
  });
  generator.set_listener([&](const Step&, const std::vector<Tensor>&) { ++recorded.passes; });
  recorded.summed = generator.run();
  return recorded;
}

TEST_CASE("the same seed gives the same codes, another seed others", "[star]") {
  Fixture fixture(GENERATE(from_range(test::test_devices())));
  const Tensor first = record(fixture).summed;
  CHECK(first.sizes() == at::IntArrayRef{1, 64, 5, 12, 21});
  CHECK(test::same(first, record(fixture).summed));
  fixture.settings.seed = 6;
  CHECK_FALSE(test::same(first, record(fixture).summed));
}

TEST_CASE("given clips skip passes that nothing reads without changing what follows", "[star]") {
  const Fixture fixture(GENERATE(from_range(test::test_devices())));
  const Recorded whole = record(fixture);
  REQUIRE(whole.passes == 11 + 12 + 12);
  const int given_steps = 11 + 12;  // the image clip and the first video clip
  const std::vector<Tensor> given(whole.bits.begin(), whole.bits.begin() + given_steps);
  const Recorded continued = record(fixture, given);
  CHECK(continued.passes == 2 + 12);
  CHECK(test::same(continued.summed, whole.summed));
}

TEST_CASE("codes are the sum of what the steps produced", "[star]") {
  const Fixture fixture(at::kCPU);
  const Recorded whole = record(fixture);
  CHECK(test::relative_error(accumulated_features(whole.bits, fixture.schedule, fixture.settings.repetitions),
                             whole.summed) < 1e-6);
}

TEST_CASE("a negative prompt of another length keeps its own tokens", "[star]") {
  Fixture fixture(at::kCPU);
  fixture.settings.sampling = Sampling::greedy;
  fixture.text.uncond = fixture.text.cond;
  const Tensor equal = record(fixture).summed;
  // Rows run one by one when their lengths differ: a third token would change the result if it were dropped or padded.
  fixture.text.uncond = at::cat({fixture.text.cond, test::seeded_randn({3, 24}, 9)});
  CHECK_FALSE(test::same(equal, record(fixture).summed));
}

TEST_CASE("rows run one by one give what the batch gives", "[star]") {
  Fixture fixture(at::kCPU);
  Generator generator(fixture.model, fixture.schedule, fixture.settings);
  std::vector<Tensor> logits;
  const auto keep_first = [&](const StepResult& result) {
    logits.push_back(result.logits);
    throw std::runtime_error("one step is enough");
    return result.bits;
  };
  for (const int64_t length : {6, 7}) {
    fixture.text.uncond = fixture.model.unconditional_text(length);
    generator.set_text(fixture.text);
    generator.set_observer(keep_first);
    CHECK_THROWS(generator.run());
  }
  CHECK(test::relative_error(logits[1][0], logits[0][0]) < 1e-5);  // the prompt's row
  CHECK(test::relative_error(logits[1][1], logits[0][1]) > 1e-4);  // one more learned token
}

TEST_CASE("without guidance one row runs", "[star]") {
  Fixture fixture(at::kCPU);
  fixture.settings.guidance.scale = 1;
  Generator generator(fixture.model, fixture.schedule, fixture.settings);
  generator.set_text(fixture.text);
  generator.set_observer([](const StepResult& result) {
    CHECK(result.logits.size(0) == 1);
    return result.bits;
  });
  generator.run();
}

TEST_CASE("more text than the checkpoint has rows for is refused", "[star]") {
  const Fixture fixture(at::kCPU);
  CHECK(test::error_of([&] { fixture.model.unconditional_text(33); }).kind() == ErrorKind::usage);
}

}  // namespace
}  // namespace faststar
