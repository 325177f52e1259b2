// The components around the transformer: text, schedules, guidance, quantisation, VAE, images.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/weights/weights.h"
#include "core/lab/verify/components.h"
#include "core/media/frame_source.h"
#include "core/media/resize.h"
#include "core/model/pyramid/codes.h"
#include "core/model/star/guidance.h"
#include "core/model/t5.h"
#include "core/model/vae/video_vae.h"

namespace faststar {
namespace {

/// Tokens that the masked T5 fixture keeps.
constexpr int64_t kMaskedLength = 50;
/// Latent frames of a clip in every official schedule.
constexpr int kClipLatents = 20;
/// Decoded pixels, absolute: they are stored as float16.
constexpr double kPixelTolerance = 1e-3;
constexpr double kResizedTolerance = 1e-6;
constexpr double kGuidanceTolerance = 1e-5;
/// Seconds and frames of the source video that conditions a clip.
constexpr double kSourceSeconds = 5;
constexpr int64_t kSourceFrames = 81;
/// The stored frames have every second pixel.
constexpr int64_t kImageStride = 2;

Tensor scales_tensor(const Schedule& schedule) {
  std::vector<int64_t> values;
  for (const Scale& scale : schedule.scales()) values.insert(values.end(), {scale.t, scale.h, scale.w});
  return at::tensor(values, at::kLong).view({-1, 3});
}

Tensor scales_tensor(const nlohmann::json& scales) {
  std::vector<int64_t> values;
  for (const auto& scale : scales) {
    for (const auto& extent : scale) values.push_back(extent);
  }
  return at::tensor(values, at::kLong).view({-1, 3});
}

/// [frame_start, frame_end, referenced scales] as the fixture lists it.
nlohmann::json context_of(const Schedule& schedule, int scale) {
  const FrameRange frames = schedule.frames_of(schedule.clip_of(scale));
  nlohmann::json references = nlohmann::json::array();
  if (const auto reference = schedule.reference_of(scale)) references.push_back(*reference);
  return {frames.begin, frames.end, references};
}

void compare_schedule(Comparison& comparison, const nlohmann::json& entry) {
  const double key = entry.at("h_div_w");
  const auto pn = entry.at("pn").get<std::string>();
  const Schedule schedule = make_schedule(key, pn, entry.at("latent_frames"), kClipLatents);
  const std::string what = fmt::format("schedule {} {} {}", key, pn, schedule.latent_frames());
  comparison.equal(what, scales_tensor(schedule), scales_tensor(entry.at("scales")));
  const nlohmann::json pixel = {pixels_of_features(schedule.full_scale(0).h),
                                pixels_of_features(schedule.full_scale(0).w)};
  comparison.require(pixel == entry.at("pixel"), what + ": pixels");
  if (!entry.contains("context")) return;
  for (size_t scale = 0; scale < schedule.scales().size(); ++scale) {
    comparison.require(context_of(schedule, static_cast<int>(scale)) == entry.at("context").at(scale),
                       fmt::format("{}: context of scale {}", what, scale));
  }
}

void compare_resized(Comparison& comparison, const Fixture& fixture, const nlohmann::json& cases) {
  for (size_t i = 0; i < cases.size(); ++i) {
    const PixelSize target{cases.at(i).at(2), cases.at(i).at(3)};
    const Tensor resized = fit_to(fixture[fmt::format("source.{}", i)], target, Fit::crop);
    comparison.equal(fmt::format("resized.{}", i), resized, fixture[fmt::format("resized.{}", i)]);
    const std::string pixels = fmt::format("pixels.{}", i);
    if (fixture.has(pixels)) comparison.within(pixels, to_pixels(resized), fixture[pixels], kResizedTolerance);
  }
}

void compare_frame_indices(Comparison& comparison, const Fixture& fixture, const nlohmann::json& cases) {
  for (size_t i = 0; i < cases.size(); ++i) {
    const double fps = cases.at(i).at("fps");
    const int64_t frames = cases.at(i).at("frames");
    const bool first = cases.at(i).at("part") == "first";
    const FrameSpan span = first ? FrameSpan{.start = 0, .end = kSourceSeconds, .count = kSourceFrames}
                                 : last_seconds(fps, frames, kSourceSeconds, kSourceFrames);
    const std::string name = fmt::format("frame_indices.{}", i);
    comparison.equal(name, at::tensor(frame_indices(fps, frames, span), at::kInt), fixture[name]);
  }
}

void compare_output_frames(Comparison& comparison, const FixtureSet& set, const Fixture& fixture,
                           const nlohmann::json& stored) {
  const Tensor decoded = set.open("vae_io.safetensors")["decoded"].to(set.device());
  const auto frames_of = [&](const Tensor& pixels) {
    return every(every(pick(official_frames(pixels), 1, stored), 2, kImageStride), 3, kImageStride);
  };
  comparison.equal("frames.f32", frames_of(decoded), fixture["frames.f32"]);
  comparison.equal("frames.bf16", frames_of(decoded.to(at::kBFloat16)), fixture["frames.bf16"]);
}

}  // namespace

Tensor every(const Tensor& tensor, int64_t dim, int64_t stride) {
  return tensor.slice(dim, std::nullopt, std::nullopt, stride);
}

Tensor pick(const Tensor& tensor, int64_t dim, const std::vector<int64_t>& indices) {
  return tensor.index_select(dim, at::tensor(indices, at::kLong).to(tensor.device()));
}

Tensor decode_whole(const VideoVae& vae, const Tensor& features, const VerifyOptions& options) {
  std::vector<Tensor> slices;
  vae.decode(
      features, [&](const Tensor& frames) { slices.push_back(frames); }, {}, options.group.get());
  if (options.group->size() == 1) return at::cat(slices, 2);
  // To all: each compares, and has to come to the same conclusion.
  const std::array<int64_t, 5> sizes = {1, kRgb, frames_of_latents(features.size(2)),
                                        pixels_of_features(features.size(3)), pixels_of_features(features.size(4))};
  const Tensor frames = options.group->is_first() ? at::cat(slices, 2).to(at::kFloat)
                                                  : at::empty(sizes, features.options().dtype(at::kFloat));
  return options.group->broadcast(frames);
}

Tensor official_frames(const Tensor& decoded) {
  FrameStream stream(FirstFrame::copy);
  std::vector<Tensor> frames;
  if (auto shown = stream.push(decoded)) frames.push_back(*shown);
  if (auto shown = stream.finish()) frames.push_back(*shown);
  return at::cat(frames).flip(-1).unsqueeze(0);
}

ComponentResult verify_t5(const FixtureSet& set, const VerifyOptions& options) {
  const Weights weights(open_checkpoint(set.path("t5")), set.device(), set.dtype());
  const T5Encoder encoder(weights, detect_t5_architecture(weights, set.path("t5")));
  const Fixture io = set.open("t5/io.safetensors");
  const Tensor ids = io["input_ids"][0].to(at::kLong);
  Comparison comparison("t5", tolerances_of(options).t5);
  comparison.close("last_hidden_state", encoder(ids).unsqueeze(0), io["last_hidden_state"]);
  // Unmasked positions do not attend to the rest: encoding them alone gives the same.
  const std::string masked = fmt::format("last_hidden_state_first{}_masked", kMaskedLength);
  if (io.has(masked)) {
    comparison.close(masked, encoder(ids.narrow(0, 0, kMaskedLength)).unsqueeze(0), io[masked]);
  }
  return comparison.result();
}

ComponentResult verify_tokenizer(const FixtureSet& set, const VerifyOptions&) {
  const Tokenizer tokenizer(set.path("t5/spiece.model"));
  Comparison comparison("tokenizer", 0);
  for (const auto& entry : read_fixture_json(set.path("t5/tokens.json"))) {
    const auto text = entry.at("text").get<std::string>();
    const auto expected = entry.at("ids").get<std::vector<int64_t>>();
    const auto encoded = tokenizer.encode(text, static_cast<int64_t>(expected.size()) + 1);
    comparison.equal(fmt::format("ids of \"{}\"", text), at::tensor(encoded.ids, at::kLong),
                     at::tensor(expected, at::kLong));
  }
  return comparison.result();
}

ComponentResult verify_schedules(const FixtureSet& set, const VerifyOptions&) {
  Comparison comparison("schedules", 0);
  const auto fixture = read_fixture_json(set.path("schedules.json"));
  for (const auto& entry : fixture.at("entries")) compare_schedule(comparison, entry);
  return comparison.result();
}

ComponentResult verify_guidance(const FixtureSet& set, const VerifyOptions&) {
  const Fixture fixture = set.open("guidance.safetensors");
  const Tensor cond = fixture["cond"].to(set.device());
  const Tensor uncond = fixture["uncond"].to(set.device());
  Comparison comparison("guidance", kGuidanceTolerance);
  comparison.close("apg", guide(cond, uncond, {.method = GuidanceMethod::apg, .scale = 34, .norm_threshold = 0.05}),
                   fixture["apg"]);
  comparison.close("cfg", guide(cond, uncond, {.method = GuidanceMethod::cfg, .scale = 3}), fixture["cfg"]);
  return comparison.result();
}

ComponentResult verify_quantize(const FixtureSet& set, const VerifyOptions& options) {
  const StarTask task = set.meta_task();
  const Repetitions& repetitions = task.settings.repetitions;
  const Fixture fixture = set.open("quantize.safetensors");
  Comparison comparison("quantize", kPixelTolerance);
  const auto bits =
      condition_bits(fixture["features"].to(set.device()), task.schedule, repetitions, task.detail_scale_min_tokens);
  std::vector<Tensor> expected;
  for (size_t step = 0; step < bits.size(); ++step) {
    const std::string name = Fixture::step_name("bits", static_cast<int>(step));
    expected.push_back(fixture[name]);
    comparison.bits(name, bits[step], expected.back());
  }
  for (Tensor& step : expected) step = step.to(set.device());
  const Tensor decoded =
      decode_whole(set.load_vae(at::kFloat), accumulated_features(expected, task.schedule, repetitions), options);
  const Tensor stored = every(every(every(decoded, 2, 8), 3, 2), 4, 2).clamp(-1, 1);
  comparison.within("decoded_from_bits", stored, fixture["decoded_from_bits"], kPixelTolerance);
  return comparison.result();
}

ComponentResult verify_vae_encode(const FixtureSet& set, const VerifyOptions&) {
  const VideoVae vae = set.load_vae(at::kFloat);
  const Fixture io = set.open("vae_io.safetensors");
  const Tensor pixels = io["pixels"].to(set.device());
  Comparison comparison("vae_encode", tolerances_of({.dtype = at::kFloat}).vae);  // the encoder is always float32
  comparison.close("features_mean", vae.encode(pixels), io["features_mean"]);
  comparison.close("features_first_frame", vae.encode(pixels.narrow(2, 0, 1)), io["features_first_frame"]);
  return comparison.result();
}

ComponentResult verify_vae_decode(const FixtureSet& set, const VerifyOptions& options) {
  const VideoVae vae = set.load_vae(options.dtype);
  const Fixture io = set.open("vae_io.safetensors");
  const auto decoded = [&](const char* features) { return decode_whole(vae, io[features].to(set.device()), options); };
  Comparison comparison("vae_decode", tolerances_of(options).vae);
  comparison.close("decoded", decoded("features_mean"), io["decoded"]);
  comparison.close("decoded_first_frame", decoded("features_first_frame"), io["decoded_first_frame"]);
  comparison.close("decoded_even", decoded("features_even"), io["decoded_even"]);
  return comparison.result();
}

ComponentResult verify_images(const FixtureSet& set, const VerifyOptions&) {
  const Fixture fixture = set.open("images.safetensors");
  const auto task = read_fixture_json(set.path("tasks.json")).at("images");
  Comparison comparison("images", 0);
  compare_resized(comparison, fixture, task.at("cases"));
  compare_frame_indices(comparison, fixture, task.at("frame_indices"));
  if (set.has("vae_io.safetensors")) compare_output_frames(comparison, set, fixture, task.at("frames_stored"));
  comparison.equal("edge_out", official_frames(fixture["edge_in"].to(set.device())), fixture["edge_out"]);
  return comparison.result();
}

}  // namespace faststar
