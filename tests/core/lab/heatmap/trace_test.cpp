#include "core/lab/heatmap/trace.h"

#include <ATen/ATen.h>

#include "core/base/weights/safetensors.h"
#include "core/lab/heatmap/sample_trace.h"
#include "support/support.h"

namespace faststar {
namespace {

Error error_of_trace(const std::map<std::string, Tensor>& tensors, const std::string& json) {
  const test::TempDir folder;
  write_safetensors(folder / "trace.safetensors", tensors, {{"faststar", json}}, Existing::refuse);
  return test::error_of([&] { read_trace(folder / "trace.safetensors"); });
}

TEST_CASE("a trace tells its clips and its reduced steps", "[heatmap]") {
  const test::TempDir folder;
  test::write_sample_trace(folder / "trace.safetensors");
  const Trace trace = read_trace(folder / "trace.safetensors");
  CHECK(trace.clip_latents == std::vector<int64_t>{1, 2});
  REQUIRE(trace.steps.size() == 2);
  CHECK(trace.steps[0].scale == 3);
  CHECK(trace.steps[0].kept_share() == 0.5);
  CHECK(trace.steps[1].clip == 1);
  CHECK(trace.steps[1].repetition == 1);
  CHECK(trace.steps[1].kept_share() == 0.25);
  CHECK(trace.steps[1].score[1][0][5].item<float>() == 0.5F);
}

TEST_CASE("frames stand four to a latent, after one of an image clip", "[heatmap]") {
  const Trace with_image{.clip_latents = {1, 2}};
  const auto places = place_frames(with_image, 9);
  CHECK(places[0].clip == 0);
  CHECK(places[1].clip == 1);
  CHECK(places[4].latent == 0);
  CHECK(places[5].latent == 1);
  CHECK(places[8].latent == 1);
  const Trace continued{.clip_latents = {2, 2}};
  CHECK(place_frames(continued, 16)[8].clip == 1);
  CHECK(place_frames(continued, 16)[8].latent == 0);
}

TEST_CASE("a video of another length is an input error that tells both lengths", "[heatmap]") {
  const Trace trace{.origin = "t", .clip_latents = {1, 2}};
  const Error error = test::error_of([&] { place_frames(trace, 10); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(error.what() == std::string("t: its run has 9 frames, the video has 10"));
}

TEST_CASE("what is no trace of a reduced run is an input error", "[heatmap]") {
  CHECK(test::error_of([] { read_trace("absent.safetensors"); }).kind() == ErrorKind::input);
  const Tensor mask = at::ones({2, 2, 4}, at::kByte);
  const std::string json = test::sample_steps_json();
  CHECK(error_of_trace({{"a", mask}}, "{}").kind() == ErrorKind::input);
  CHECK(error_of_trace({{"a", mask}}, "not json").kind() == ErrorKind::input);
  CHECK(error_of_trace({{"a", mask}}, json).what() != nullptr);
  const Error none = error_of_trace({{"a", mask}}, json);
  CHECK(std::string(none.what()).find("no step of this run was reduced") != std::string::npos);
  const Error odd = error_of_trace({{"step.008.token_mask", mask.to(at::kFloat)}}, json);
  CHECK(std::string(odd.what()).find("expected uint8 [T, H, W], got float32 [2, 2, 4]") != std::string::npos);
  const Error huge =
      error_of_trace({{"step.000.token_mask", mask}},
                     R"({"steps": [{"index": 0, "clip": 99999999, "grid": [1, 1, 1], "scale": 0, "repetition": 0}]})");
  CHECK(huge.kind() == ErrorKind::input);
}

TEST_CASE("a trace that lists a step twice is refused: it could ask for any number of copies", "[heatmap]") {
  const std::string step = R"({"index": 0, "clip": 0, "grid": [2, 2, 4], "scale": 0, "repetition": 0})";
  const Error twice = error_of_trace({{"step.000.token_mask", at::ones({2, 2, 4}, at::kByte)}},
                                     "{\"steps\": [" + step + "," + step + "]}");
  CHECK(twice.kind() == ErrorKind::input);
  CHECK_THAT(twice.what(), ContainsSubstring("step 0 is listed twice"));
}

TEST_CASE("a trace with more reduced steps than a picture has room for is refused", "[heatmap]") {
  std::map<std::string, Tensor> tensors;
  std::string steps;
  for (int i = 0; i < 129; ++i) {
    tensors[fmt::format("step.{:03}.token_mask", i)] = at::ones({1, 1, 1}, at::kByte);
    steps += fmt::format(R"({}{{"index": {}, "clip": 1, "grid": [1, 1, 1], "scale": 0, "repetition": 0}})",
                         i == 0 ? "" : ",", i);
  }
  const Error error = error_of_trace(tensors, "{\"steps\": [" + steps + "]}");
  CHECK(error.kind() == ErrorKind::input);
  CHECK_THAT(error.what(), ContainsSubstring("clip 1: expected at most 128 reduced steps"));
}

}  // namespace
}  // namespace faststar
