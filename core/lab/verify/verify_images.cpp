#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/lab/verify/components.h"
#include "core/media/frame_selection.h"
#include "core/media/resize.h"

namespace faststar {
namespace {

constexpr double kResizedTolerance = 1e-6;
/// Seconds and frames of the source video that conditions a clip.
constexpr double kSourceSeconds = 5;
constexpr int64_t kSourceFrames = 81;
/// The stored frames have every second pixel.
constexpr int64_t kImageStride = 2;

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

ComponentResult verify_images(const FixtureSet& set, const VerifyOptions&) {
  const Fixture fixture = set.open("images.safetensors");
  Comparison comparison("images", 0);
  try {
    const auto task = read_fixture_json(set.path("tasks.json")).at("images");
    compare_resized(comparison, fixture, task.at("cases"));
    compare_frame_indices(comparison, fixture, task.at("frame_indices"));
    if (set.has("vae_io.safetensors")) compare_output_frames(comparison, set, fixture, task.at("frames_stored"));
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::input, fmt::format("{}: {}", set.path("tasks.json").string(), error.what()));
  }
  comparison.equal("edge_out", official_frames(fixture["edge_in"].to(set.device())), fixture["edge_out"]);
  return comparison.result();
}

}  // namespace faststar
