#include "core/pipeline/codes_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/weights/safetensors.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

constexpr const char* kMetadataKey = "faststar";
constexpr const char* kVaeKey = "vae_fingerprint";

std::string clip_name(size_t clip) { return fmt::format("clip.{}.summed_codes", clip); }

[[noreturn]] void fail_codes(const std::filesystem::path& file, const std::string& problem) {
  fail(ErrorKind::input, fmt::format("{}: {}", file.string(), problem), "expected a file of --save-codes");
}

/// Throws unless `clip` is a clip like `first`.
void check_clip(const std::filesystem::path& file, const std::string& name, const Tensor& clip, const Tensor& first) {
  const bool fits = clip.scalar_type() == at::kFloat && clip.dim() == 5 && clip.size(0) == 1 &&
                    clip.size(1) == kFeatureChannels && clip.numel() > 0 && clip.size(3) == first.size(3) &&
                    clip.size(4) == first.size(4);
  if (!fits) {
    fail_codes(file, fmt::format("{}: expected float32 [1, {}, T, H, W], the same H and W in all clips, got {}", name,
                                 kFeatureChannels, shape_text(clip.sizes())));
  }
  if (!at::isfinite(clip).all().item<bool>())
    fail_codes(file, fmt::format("{}: contains NaN or infinite values", name));
}

std::shared_ptr<const Safetensors> open_codes(const std::filesystem::path& file) {
  try {
    return open_safetensors(file);
  } catch (const Error& error) {
    fail(ErrorKind::input, error.what(), "expected a file of --save-codes");
  }
}

}  // namespace

Scale SavedCodes::scale() const {
  const Tensor& first = clips.front();
  Scale scale{.t = 0, .h = static_cast<int>(first.size(3)), .w = static_cast<int>(first.size(4))};
  for (const Tensor& clip : clips) scale.t += static_cast<int>(clip.size(2));
  return scale;
}

std::vector<Tensor> split_clips(const Tensor& summed_codes, const Schedule& schedule) {
  std::vector<Tensor> clips;
  for (int clip = 0; clip < schedule.clips(); ++clip) {
    const FrameRange frames = schedule.frames_of(clip);
    clips.push_back(summed_codes.narrow(2, frames.begin, frames.end - frames.begin));
  }
  return clips;
}

void write_codes(const std::filesystem::path& file, const SavedCodes& codes, Existing existing) {
  std::map<std::string, Tensor> tensors;
  for (size_t clip = 0; clip < codes.clips.size(); ++clip) tensors[clip_name(clip)] = codes.clips[clip];
  auto settings = nlohmann::ordered_json::parse(codes.settings_json);
  settings["command"] = codes.command;
  write_safetensors(file, tensors, {{kMetadataKey, settings.dump()}, {kVaeKey, codes.vae_fingerprint}}, existing);
}

SavedCodes read_codes(const std::filesystem::path& file) {
  const auto source = open_codes(file);
  const auto metadata = source->metadata().find(kMetadataKey);
  if (metadata == source->metadata().end()) fail_codes(file, "no faststar settings in it");
  auto settings = parse_json<nlohmann::ordered_json>(metadata->second);
  if (!settings.is_object() || !settings.contains("command") || !settings["command"].is_string()) {
    fail_codes(file, "its settings are damaged");
  }
  SavedCodes codes;
  codes.command = settings["command"].get<std::string>();
  settings.erase("command");
  const bool sections = std::ranges::all_of(settings, [](const auto& section) { return section.is_object(); });
  if (!sections) fail_codes(file, "its settings are damaged");
  codes.settings_json = settings.dump();
  if (const auto vae = source->metadata().find(kVaeKey); vae != source->metadata().end()) {
    codes.vae_fingerprint = vae->second;
  }
  const auto& tensors = source->tensors();
  for (size_t clip = 0; tensors.contains(clip_name(clip)); ++clip) {
    const std::string name = clip_name(clip);
    codes.clips.push_back(source->read(name, tensors.at(name), at::kCPU).clone());
    check_clip(file, name, codes.clips.back(), codes.clips.front());
  }
  if (codes.clips.empty()) fail_codes(file, fmt::format("no tensor {}", clip_name(0)));
  const auto clips =
      std::count_if(tensors.begin(), tensors.end(), [](const auto& entry) { return entry.first.starts_with("clip."); });
  if (clips != static_cast<int64_t>(codes.clips.size())) fail_codes(file, "a clip in the middle is missing");
  return codes;
}

}  // namespace faststar
