#include "core/lab/evaluate/evaluation.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/weights/weights.h"
#include "core/model/pyramid/codes.h"
#include "support/support.h"

namespace faststar {
namespace {

/// A model of the embedded one's form with narrow random parts and clips of half a second.
struct RandomModel {
  explicit RandomModel(at::Device device)
      : transformer({make_random_weights(1), device, at::kFloat}, kTransformer),
        vae({make_random_weights(2), device, at::kFloat}, {.block_out_channels = {8, 16, 16, 16, 16}}),
        model(Networks{.transformer = &transformer, .vae = &vae}),
        pipeline(model) {}

  EvaluatedModel evaluated() const {
    return {
        .pipeline = pipeline,
        .encode_text =
            [this](const std::string& prompt) {
              return TextFeatures{.cond = test::seeded_randn({6, kTransformer.text_width},
                                                             std::hash<std::string>()(prompt), transformer.device())};
            },
        .generation = {.repetitions = {std::vector<int>(11, 1), std::vector<int>(11, 1)},
                       .semantic_scales = 8,
                       .guidance = {.method = GuidanceMethod::cfg, .scale = 2}},
        .size = {.pn = "0.06M", .latents_per_clip = 2}};
  }

  static constexpr StarArchitecture kTransformer = {.hidden_size = 32,
                                                    .heads = 2,
                                                    .kv_heads = 1,
                                                    .head_dim = 16,
                                                    .ffn_width = 32,
                                                    .layers = 1,
                                                    .text_width = 24,
                                                    .max_text_length = 32};
  c10::InferenceMode inference;
  StarTransformer transformer;
  VideoVae vae;
  Model model;
  Pipeline pipeline;
};

constexpr EvaluationSettings kNothing = {.vae_clips = 0,
                                         .long_vae_clips = 0,
                                         .bit_clips = 0,
                                         .one_object = 0,
                                         .two_objects = 0,
                                         .foreign_words = 0,
                                         .camera_pans = 0,
                                         .one_second = 0,
                                         .four_seconds = 0,
                                         .continuations = 0,
                                         .checker_clips = 0};

std::vector<std::string> names_of(const std::vector<NamedRates>& rows) {
  std::vector<std::string> names;
  for (const NamedRates& row : rows) names.push_back(row.name);
  return names;
}

TEST_CASE("the VAE is measured on clips of one and of two video clips", "[evaluate]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const RandomModel model(device);
  EvaluationSettings settings = kNothing;
  settings.vae_clips = settings.long_vae_clips = 1;
  const Evaluation result = evaluate_model(model.evaluated(), {}, settings);
  REQUIRE(result.reconstructions.size() == 2);
  CHECK(result.reconstructions[0].frames == 9);
  CHECK(result.reconstructions[1].frames == 17);
  CHECK(result.reconstructions[1].frame_psnr.size() == 17);
  const ClipFidelity& fidelity = result.reconstructions[0].quantised;
  CHECK(fidelity.psnr > 3);  // of pictures that have nothing to do with the clip
  CHECK(fidelity.psnr < 15);
  CHECK(fidelity.ssim < .9);
  CHECK(result.attributes.empty());
}

TEST_CASE("a model that has learned nothing foretells half of the bits", "[evaluate]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const RandomModel model(device);
  EvaluationSettings settings = kNothing;
  settings.bit_clips = 1;
  const auto scores = evaluate_model(model.evaluated(), {}, settings).bits;
  REQUIRE(scores.size() == 33);
  CHECK(scores[10].clip == 0);
  CHECK(scores[32].clip == 2);
  CHECK(scores[32].scale == Scale{2, 12, 21});
  for (const size_t fine : {10, 21, 32}) {
    CHECK(scores[fine].accuracy == Approx(.5).margin(.2));
    CHECK(scores[fine].nats > .3);
  }
}

TEST_CASE("every set of prompts is evaluated, and its figures are in JSON and table", "[evaluate]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const RandomModel model(device);
  EvaluationSettings settings = kNothing;
  settings.one_object = settings.two_objects = settings.foreign_words = 1;
  settings.camera_pans = settings.one_second = settings.four_seconds = settings.continuations = 1;
  settings.vae_clips = settings.checker_clips = 2;
  std::vector<std::string> heard;
  double cost = 0;
  const auto listener = [&](std::string_view part, int64_t, int64_t, double of_clip) {
    heard.emplace_back(part);
    cost += of_clip;
  };
  const Evaluation result = evaluate_model(model.evaluated(), {.camera_pan = .1}, settings, listener);
  CHECK(cost == Approx(evaluation_cost(settings)));
  CHECK(heard.size() == 7 + 2 + 3 * 2);
  CHECK(heard.back() == "checker");
  const std::vector<std::string> names = {"one object", "two objects",     "out-of-vocabulary", "camera pans",
                                          "1 s",        "4 s, first half", "4 s, second half",  "continuation"};
  CHECK(names_of(result.attributes) == names);
  const auto json = nlohmann::json::parse(evaluation_json(result));
  const std::string table = evaluation_markdown(result);
  REQUIRE(result.continuation);
  CHECK(json["continuation"]["object_psnr"] == result.continuation->object_psnr);
  CHECK(table.find("Continuations against the true clips: ") != std::string::npos);
  for (size_t i = 0; i < names.size(); ++i) {
    CHECK(result.attributes[i].rates.all == 0);
    CHECK(result.attributes[i].rates.misses.size() == 1);
    CHECK(json["attributes"][i]["name"] == names[i]);
    CHECK(json["attributes"][i]["misses"][0]["prompt"] == result.attributes[i].rates.misses[0].prompt);
    CHECK(table.find(fmt::format("| {} | 1 | ", names[i])) != std::string::npos);
  }
}

TEST_CASE("a model of one video clip is not asked for long clips", "[evaluate]") {
  const RandomModel model(at::kCPU);
  EvaluationSettings settings = kNothing;
  settings.one_object = settings.four_seconds = settings.continuations = 1;
  settings.video_clips = 1;
  CHECK(names_of(evaluate_model(model.evaluated(), {}, settings).attributes) == std::vector<std::string>{"one object"});
  CHECK(evaluation_cost(settings) == 1);
}

TEST_CASE("a continuation begins with the clip that it goes on from", "[evaluate]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const RandomModel model(device);
  const EvaluatedModel evaluated = model.evaluated();
  const HeldOutClips clips(device, {}, HeldOutSet::continuation);
  const Tensor continued = continue_clip(evaluated, clips, 3);
  const Schedule schedule = world_schedule(evaluated, 2);
  const Tensor beginning = clips.render(clips.record(3), 0, 9).pixels;
  const Tensor given =
      accumulated_features(bits_of(evaluated, schedule, beginning), schedule, evaluated.generation.repetitions);
  CHECK(continued.size(1) == 17);
  CHECK(test::relative_error(continued.narrow(1, 0, 9), evaluated.pipeline.decode(given)) < 1e-4);
}

TEST_CASE("a model of another picture size is refused", "[evaluate]") {
  const RandomModel model(at::kCPU);
  EvaluatedModel evaluated = model.evaluated();
  evaluated.size.pn = "0.25M";
  const Error error = test::error_of([&] { world_schedule(evaluated, 1); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find("expected a model of 336x192 pixels") != std::string::npos);
}

}  // namespace
}  // namespace faststar
