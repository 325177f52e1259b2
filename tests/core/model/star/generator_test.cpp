#include "core/model/star/generator.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <set>

#include "core/base/weights/weights.h"
#include "core/model/pyramid/codes.h"
#include "core/model/star/small_model.h"
#include "core/model/star/test_observer.h"
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
  test::TestObserver observer;
  observer.bits = [&](const StepResult& result) {
    recorded.bits.push_back(result.bits);
    return result.bits;
  };
  observer.step = [&](const Step&, const std::vector<Tensor>&) { ++recorded.passes; };
  recorded.summed = generate(fixture.model, fixture.schedule, fixture.settings,
                             {.text = fixture.text, .given_bits = given}, &observer);
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
  // A row attends alone when the lengths differ: more tokens would not change the result if they were dropped.
  fixture.text.uncond = at::cat({fixture.text.cond, test::seeded_randn({3, 24}, 9)});
  CHECK_FALSE(test::same(equal, record(fixture).summed));
}

TEST_CASE("rows that attend to texts of different length give what rows of equal length give", "[star]") {
  Fixture fixture(at::kCPU);
  std::vector<Tensor> logits;
  test::TestObserver observer;
  observer.bits = [&](const StepResult& result) -> Tensor {
    logits.push_back(result.logits);
    throw std::runtime_error("one step is enough");
  };
  for (const int64_t length : {6, 7}) {
    fixture.text.uncond = fixture.model.unconditional_text(length);
    CHECK_THROWS(generate(fixture.model, fixture.schedule, fixture.settings, {.text = fixture.text}, &observer));
  }
  CHECK(test::relative_error(logits[1][0], logits[0][0]) < 1e-5);  // the prompt's row
  CHECK(test::relative_error(logits[1][1], logits[0][1]) > 1e-4);  // one more learned token
}

/// Counts the layer's calls and the rows of their batches.
struct LayerWatch final : LayerReducer {
  int calls = 0;
  std::set<int64_t> rows;
  Tensor run(const LayerSite&, const Tensor& residual, const Tensor& normed, const Branch& branch) override {
    ++calls;
    rows.insert(residual.size(0));
    return branch(normed, {});
  }
};

TEST_CASE("layers see both rows at once, also when their texts differ in length", "[star]") {
  const Fixture fixture(GENERATE(from_range(test::test_devices())));
  const StarTransformer& model = fixture.model;
  const auto device = model.device();
  std::vector<PassKv> texts;
  for (const int64_t length : {6, 9}) {
    const Rope rope = text_rope(length, test::kSmallModel.head_dim, device);
    const Tensor text = test::seeded_randn({1, length, test::kSmallModel.text_width}, 3, device);
    model.run_blocks(model.embed_text(text), {rope, {}}, &texts.emplace_back());
  }
  const KvCache cache(texts, {}, GENERATE(0, 4));
  const Tensor tokens = test::seeded_randn({1, 4, 64}, 4, device);
  const Rope rope = visual_rope({600, {0}, {1, 2, 2}, {1, 2, 2}}, test::kSmallModel.head_dim, device);
  LayerWatch watch;
  const Tensor both = model.run_blocks(model.embed_tokens(tokens, 2), {rope, cache, {}, &watch}, nullptr);
  CHECK(watch.calls == 2 * test::kSmallModel.layers);
  CHECK(watch.rows == std::set<int64_t>{2});
  for (const int64_t row : {0, 1}) {
    const KvCache own({texts[static_cast<size_t>(row)]});
    const Tensor alone = model.run_blocks(model.embed_tokens(tokens, 1), {rope, own}, nullptr);
    CHECK(test::relative_error(both[row], alone[0]) < 1e-5);
  }
  CHECK_FALSE(test::same(both[0], both[1]));
}

TEST_CASE("methods that score in layers score over both rows, whatever the length of their texts", "[star][reduce]") {
  Fixture fixture(at::kCPU);
  // The prompt's row at the last step, when the bits are the same whatever the rows say.
  const auto last_logits = [&](const Tensor& uncond) {
    Tensor logits;
    test::TestObserver observer;
    observer.bits = [&](const StepResult& result) {
      logits = result.logits[0].clone();
      return at::zeros_like(result.bits);
    };
    generate(fixture.model, fixture.schedule, fixture.settings, {.text = {fixture.text.cond, uncond}}, &observer);
    return logits;
  };
  const Tensor longer = at::cat({fixture.text.uncond, test::seeded_randn({3, 24}, 9)});
  CHECK(test::relative_error(last_logits(longer), last_logits(fixture.text.uncond)) < 1e-5);
  fixture.settings.reduction.method = GENERATE(ReductionMethod::tome, ReductionMethod::fastvar);
  CHECK(test::relative_error(last_logits(longer), last_logits(fixture.text.uncond)) > 1e-4);
}

/// Random weights whose norms are no bfloat16 numbers.
class UnroundedNorms final : public TensorSource {
 public:
  const std::map<std::string, TensorInfo>& tensors() const override { return random_->tensors(); }
  bool makes_any() const override { return true; }
  std::string origin() const override { return "test"; }
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override {
    const Tensor made = random_->read(name, info, device);
    return name.ends_with("norm.weight") ? made * 1.00390625 : made;
  }

 private:
  std::shared_ptr<const TensorSource> random_ = make_random_weights(1);
};

TEST_CASE("norm weights are rounded to the backbone's precision, or kept in float32", "[star]") {
  const Weights weights(std::make_shared<UnroundedNorms>(), at::kCPU, at::kBFloat16);
  StarArchitecture arch = test::kSmallModel;
  const auto all_are = [&](double value) {
    const Block block(weights, arch, 0);
    bool equal = true;
    for (const Tensor& norm :
         {block.input_layernorm, block.post_attention_layernorm, block.attn.norms.q, block.attn.norms.k}) {
      CHECK(norm.scalar_type() == at::kFloat);
      equal = equal && norm.eq(value).all().item<bool>();
    }
    return equal;
  };
  CHECK(all_are(1));
  arch.norm_weights = NormWeights::fp32;
  CHECK(all_are(1.00390625));
  CHECK(Block(weights, arch, 0).mlp.gate_up_proj.dtype == at::kBFloat16);
}

TEST_CASE("without guidance one row runs", "[star]") {
  Fixture fixture(at::kCPU);
  fixture.settings.guidance.scale = 1;
  test::TestObserver observer;
  observer.bits = [](const StepResult& result) {
    CHECK(result.logits.size(0) == 1);
    return result.bits;
  };
  generate(fixture.model, fixture.schedule, fixture.settings, {.text = fixture.text}, &observer);
}

TEST_CASE("more text than the checkpoint has rows for is refused", "[star]") {
  const Fixture fixture(at::kCPU);
  CHECK(test::error_of([&] { fixture.model.unconditional_text(33); }).kind() == ErrorKind::usage);
}

}  // namespace
}  // namespace faststar
