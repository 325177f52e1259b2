#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/lab/verify/components.h"
#include "core/model/pyramid/conditioning.h"

namespace faststar {
namespace {

/// Decoded pixels, absolute: they are stored as float16.
constexpr double kPixelTolerance = 1e-3;
/// Latent frames of a clip in every official schedule.
constexpr int kClipLatents = 20;

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

}  // namespace

ComponentResult verify_schedules(const FixtureSet& set, const VerifyOptions&) {
  Comparison comparison("schedules", 0);
  const auto fixture = read_fixture_json(set.path("schedules.json"));
  try {
    for (const auto& entry : fixture.at("entries")) compare_schedule(comparison, entry);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::input, fmt::format("{}: {}", set.path("schedules.json").string(), error.what()));
  }
  return comparison.result();
}

ComponentResult verify_quantize(const FixtureSet& set, const VerifyOptions&) {
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
  const Tensor decoded = decode_whole(set.load_vae(at::kFloat), sum_codes(expected, task.schedule, repetitions));
  const Tensor stored = every(every(every(decoded, 2, 8), 3, 2), 4, 2).clamp(-1, 1);
  comparison.within("decoded_from_bits", stored, fixture["decoded_from_bits"], kPixelTolerance);
  return comparison.result();
}

}  // namespace faststar
