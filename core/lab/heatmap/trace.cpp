#include "core/lab/heatmap/trace.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/weights/safetensors.h"
#include "core/model/vae/architecture.h"

namespace faststar {
namespace {

/// A copy of a tensor [T, H, W] of the file; undefined when the file has none of that name.
Tensor read_map(const Safetensors& file, const std::string& name, at::ScalarType dtype) {
  const auto found = file.tensors().find(name);
  if (found == file.tensors().end()) return {};
  const auto& [stored_dtype, shape] = found->second;
  if (stored_dtype != dtype || shape.size() != 3 || checked_numel(shape).value_or(0) == 0) {
    fail(ErrorKind::input, fmt::format("{}: tensor {}: expected {} [T, H, W], got {} {}", file.origin(), name,
                                       dtype_text(dtype), dtype_text(stored_dtype), shape_text(shape)));
  }
  return file.read(name, found->second, at::kCPU).clone();
}

TracedStep read_step(const Safetensors& file, const std::string& prefix, const nlohmann::json& entry) {
  return {.clip = json_integer<int64_t>(entry.at("clip")),
          .scale = json_integer<int64_t>(entry.at("scale")),
          .repetition = json_integer<int64_t>(entry.at("repetition")),
          .token_mask = read_map(file, prefix + "token_mask", at::kByte),
          .score = read_map(file, prefix + "score", at::kFloat)};
}

void count_latents(std::vector<int64_t>& clip_latents, int64_t clip, int64_t latents, const std::string& origin) {
  constexpr int64_t kMaxClips = 10000, kMaxLatents = 100000;
  if (clip < 0 || clip >= kMaxClips || latents < 1 || latents > kMaxLatents) {
    fail(ErrorKind::input, fmt::format("{}: expected clips 0 to {} of 1 to {} latent frames, got clip {} with {}",
                                       origin, kMaxClips - 1, kMaxLatents, clip, latents));
  }
  clip_latents.resize(std::max(clip_latents.size(), static_cast<size_t>(clip) + 1));
  int64_t& count = clip_latents[static_cast<size_t>(clip)];
  count = std::max(count, latents);
}

Trace read_steps(const Safetensors& file, const nlohmann::json& steps) {
  constexpr int64_t kMaxReducedSteps = 128;  // of a clip; a picture has a column for each, and schedules about ten
  Trace trace{.origin = file.origin()};
  std::set<int64_t> seen;
  std::map<int64_t, int64_t> reduced;  // by clip
  for (const auto& entry : steps) {
    count_latents(trace.clip_latents, json_integer<int64_t>(entry.at("clip")),
                  json_integer<int64_t>(entry.at("grid").at(0)), file.origin());
    const auto index = json_integer<int64_t>(entry.at("index"));
    // Or a small file could ask for any number of copies of its tensors.
    if (!seen.insert(index).second)
      fail(ErrorKind::input, fmt::format("{}: step {} is listed twice", file.origin(), index));
    TracedStep step = read_step(file, fmt::format("step.{:03}.", index), entry);
    if (!step.token_mask.defined()) continue;
    if (++reduced[step.clip] > kMaxReducedSteps) {
      fail(ErrorKind::input,
           fmt::format("{}: clip {}: expected at most {} reduced steps", file.origin(), step.clip, kMaxReducedSteps));
    }
    trace.steps.push_back(std::move(step));
  }
  if (trace.steps.empty()) fail(ErrorKind::input, fmt::format("{}: no step of this run was reduced", file.origin()));
  return trace;
}

Trace parse_trace(const std::filesystem::path& path) {
  const auto file = open_safetensors(path);
  const auto metadata = file->metadata().find("faststar");
  const auto refuse = [&](const char* found) {
    fail(ErrorKind::input, fmt::format("{}: expected a trace, found no {}", file->origin(), found),
         "faststar t2v ... --trace FILE writes one");
  };
  if (metadata == file->metadata().end()) refuse("settings of faststar");
  try {
    const auto document = parse_json_object(metadata->second, file->origin());
    if (!document.contains("steps")) refuse("list of steps");
    Trace trace = read_steps(*file, document["steps"]);
    if (document.contains("settings")) trace.settings_json = document["settings"].dump();
    return trace;
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::input, fmt::format("{}: list of steps: {}", file->origin(), error.what()));
  }
}

}  // namespace

double TracedStep::kept_share() const {
  return static_cast<double>(token_mask.count_nonzero().item<int64_t>()) / static_cast<double>(token_mask.numel());
}

Trace read_trace(const std::filesystem::path& path) {
  try {
    return parse_trace(path);
  } catch (const Error& error) {  // the trace is an input, not a model
    fail(ErrorKind::input, error.what(), error.hint());
  }
}

std::vector<LatentPlace> place_frames(const Trace& trace, int64_t frames) {
  const auto& clips = trace.clip_latents;
  const bool starts_with_image = clips.front() == 1;
  const int64_t latents = std::accumulate(clips.begin(), clips.end(), int64_t{0});
  const int64_t expected = kFramesPerLatent * latents - (starts_with_image ? kFramesPerLatent - 1 : 0);
  if (frames != expected) {
    fail(ErrorKind::input, fmt::format("{}: its run has {} frames, the video has {}", trace.origin, expected, frames),
         "the video must come from the same run");
  }
  std::vector<LatentPlace> places;
  for (size_t clip = 0; clip < clips.size(); ++clip) {
    const int64_t each = clip == 0 && starts_with_image ? 1 : kFramesPerLatent;
    for (int64_t i = 0; i < clips[clip] * each; ++i) places.push_back({static_cast<int64_t>(clip), i / each});
  }
  return places;
}

}  // namespace faststar
