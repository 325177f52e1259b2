#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/lock_file.h"
#include "core/base/utf8.h"
#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/request.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// False for settings that leave every pixel as it is, or that belong to single items.
bool changes_videos(std::string_view section, std::string_view key) {
  constexpr std::array<std::string_view, 4> kOfEncoding = {"crf", "preset", "lossless", "no_metadata"};
  if (section == "runtime") return key == "precision" || key == "attention_precision" || key == "fp8_scales";
  if (section == "output") return std::ranges::find(kOfEncoding, key) != kOfEncoding.end();
  return key != "prompt" && key != "prompt_file" && key != "count";
}

/// "section.key" -> value as text, of the settings that change videos.
nlohmann::json decisive_settings(const nlohmann::ordered_json& json) {
  auto settings = nlohmann::json::object();
  for (const auto& [section, fields] : json.items()) {
    for (const auto& [key, value] : fields.items()) {
      // Added after version 0.1.0, so left out while it has its default.
      const bool unset = (key == "attention_precision" && value == "auto") ||
                         (key == "fp8_scales" && value.is_null()) || (key == "last_repetitions" && value.empty());
      if (changes_videos(section, key) && !unset) {
        settings[fmt::format("{}.{}", section, key)] = json_text(value);
      }
    }
  }
  return settings;
}

/// Hashes in the manifests and studies of version 0.1.0 cover settings that are retired now (RetiredSetting), and the
/// order of the keys in the section of a method. Starting from this list gives the same hashes, so that those batches
/// and studies can be resumed. null: the current value. A setting that is added later must be left out of the hash
/// while it has its default.
constexpr std::string_view kHashedReduction = R"({
  "last_rep_full": true, "topk_scope": "clip", "tie_break": "hash", "cfg_mask": "mean", "kv_store": "kept",
  "multi_clip_last_ratio_cap": 1.0,
  "faststar": {
    "scorer": null, "p": null, "spatial_prev": "prev_scale", "temporal_ref_first": "image_last_scale",
    "temporal_ref": "prev_clip_same_scale", "t_match": "clamp", "score_norm": "none", "spatial_memory": "none",
    "mask_down": null, "pu_mask": null, "pu_boundary": "zero", "eps": 1e-08
  },
  "fastvar": {"layers": null, "cache": "first", "mean": "clip"},
  "sparsevar": {
    "ratio_mode": null, "theta": null, "window": 4, "mse_layers": null, "beta": null, "force_anchors": true
  },
  "tome": {"scope": "layer", "matching": null, "dst_stride": null, "dst_rand": true, "merge_mode": "mean"},
  "stepvar": {"weight": null, "normalize": null, "iters": 8, "pool": 3, "pool_t": 1, "restore": "logits"},
  "random": {"resample": "iter"}
})";

}  // namespace

std::optional<Config> read_batch_settings(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  Settings settings;
  apply_config_files({.preset = {}, .files = {file}}, settings);
  return settings.config;
}

void check_same_settings(const fs::path& file, const Config& before, const Config& now) {
  const auto then = decisive_settings(config_json(before));
  const auto today = decisive_settings(config_json(now));
  auto all = then;
  all.update(today);
  std::vector<std::string> differences;
  for (const auto& [key, _] : all.items()) {
    const std::string was = then.value(key, "not set");
    const std::string is = today.value(key, "not set");
    if (was != is) differences.push_back(fmt::format("{} was {}, now it is {}", key, was, is));
  }
  if (differences.empty()) return;
  fail(ErrorKind::usage,
       fmt::format("{}: this batch was started with other settings: {}", file.string(), fmt::join(differences, "; ")),
       "use another folder with -o, or the same settings (--config takes this file)");
}

void settle_batch_settings(const BatchFolder& folder, Precision precision, ResolvedSettings& resolved) {
  Config& config = resolved.settings.config;
  if (!config.sampling.seed) {
    const auto before = read_batch_settings(folder.config());
    config.sampling.seed = before && before->sampling.seed ? *before->sampling.seed : random_seed(1);
  }
  if (config.model.model) config.model.model = fs::absolute(*config.model.model).string();
  config.runtime.precision = precision;
  config.prompt.prompt.reset();
  config.prompt.prompt_file.reset();
  config.output.output.reset();
  config.output.overwrite = false;
  config.output.frames_dir.reset();
  config.output.save_codes.reset();
  config.output.preview.reset();
}

void check_folder_settings(const BatchFolder& folder, const ResolvedSettings& resolved) {
  if (const auto before = read_batch_settings(folder.config())) {
    check_same_settings(folder.config(), *before, resolved.settings.config);
  }
}

void save_folder_settings(const BatchFolder& folder, const ResolvedSettings& resolved) {
  LockFile locks(folder.locks());
  const auto held = locks.lock("config.yaml");
  check_folder_settings(folder, resolved);
  if (!read_batch_settings(folder.config())) {
    write_file(folder.config(), config_yaml(resolved.settings.config, resolved.base), Existing::refuse);
  }
}

std::string settings_hash(const Config& config) {
  nlohmann::ordered_json json = config_json(config);
  auto reduction = nlohmann::ordered_json::parse(kHashedReduction);
  reduction.merge_patch(json["reduction"]);
  json["reduction"] = std::move(reduction);
  // Version 0.1.0 had no guidance reuse.
  if (config.guidance.reuse.passes == GuidanceReuse::none) {
    for (const char* key : {"guidance_reuse", "guidance_reuse_scales", "guidance_reuse_weight"}) {
      json["guidance"].erase(key);
    }
  }
  uint64_t hash = fnv1a("");
  const nlohmann::json settings = decisive_settings(json);
  for (const auto& [key, value] : settings.items()) {
    hash = fnv1a(key + "=" + value.get<std::string>() + "\n", hash);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace faststar
