#include "core/config/reduction.h"

#include <fmt/format.h>

#include <vector>

#include "core/base/error.h"
#include "core/config/settings.h"
#include "core/config/value.h"

namespace faststar {
namespace {

constexpr RetiredSetting kRetired[] = {
    {"reduction", "last_rep_full", "reduce_last_rep_full", "true"},
    {"reduction", "topk_scope", "reduce_topk_scope", "clip"},
    {"reduction", "tie_break", "reduce_tie_break", "hash"},
    {"reduction", "cfg_mask", "reduce_cfg_mask", "mean"},
    {"reduction", "kv_store", "reduce_kv_store", "kept"},
    {"reduction", "multi_clip_last_ratio_cap", "reduce_last_ratio_cap", "1"},
    {"reduction.faststar", "spatial_prev", "faststar_spatial_prev", "prev_scale"},
    {"reduction.faststar", "temporal_ref_first", "faststar_first_ref", "image_last_scale"},
    {"reduction.faststar", "temporal_ref", "faststar_temporal_ref", "prev_clip_same_scale"},
    {"reduction.faststar", "t_match", "faststar_t_match", "clamp"},
    {"reduction.faststar", "score_norm", "faststar_score_norm", "none"},
    {"reduction.faststar", "spatial_memory", "faststar_spatial_memory", "none"},
    {"reduction.faststar", "pu_boundary", "faststar_pu_boundary", "zero"},
    {"reduction.faststar", "eps", "faststar_eps", "1e-8"},
    {"reduction.fastvar", "cache", "fastvar_cache", "first"},
    {"reduction.fastvar", "mean", "fastvar_mean", "clip"},
    {"reduction.sparsevar", "window", "sparsevar_window", "4"},
    {"reduction.sparsevar", "force_anchors", "sparsevar_force_anchors", "true"},
    {"reduction.tome", "scope", "tome_scope", "layer"},
    {"reduction.tome", "dst_rand", "tome_dst_rand", "true"},
    {"reduction.tome", "merge_mode", "tome_merge_mode", "mean"},
    {"reduction.stepvar", "iters", "stepvar_iters", "8"},
    {"reduction.stepvar", "pool", "stepvar_pool", "3"},
    {"reduction.stepvar", "pool_t", "stepvar_pool_t", "1"},
    {"reduction.stepvar", "restore", "stepvar_restore", "logits"},
    {"reduction.random", "resample", "random_resample", "iter"},
};

void settle_no_reduce(Settings& settings) {
  ReductionConfig& reduction = settings.config.reduction;
  if (!reduction.no_reduce) return;
  reduction.no_reduce = false;
  const Origin& off = settings.origin("no_reduce");
  const Origin& method = settings.origin("reduce");
  if (off.source == method.source && off.source >= Source::environment) {
    fail(ErrorKind::usage, fmt::format("{} and {}: expected one of them, got both", off.text, method.text));
  }
  if (off.source >= method.source) reduction.method = ReductionMethod::none;
}

/// What a preset stands for.
struct PresetBundle {
  FastStarOptions faststar;
  int keep_align = 1;
  std::vector<double> ratios;  ///< of the last four scales; empty: as they are
};

/// What a preset does not name has the default.
PresetBundle bundle_of(ReductionPreset preset) {
  constexpr int kMatrixTile = 128;  // tokens of a tile of the matrix products
  switch (preset) {
    case ReductionPreset::paper: return {.faststar = {.mask_down = MaskDown::nearest}};
    case ReductionPreset::exact: return {.faststar = {.mask_down = MaskDown::area_topk}};
    case ReductionPreset::fast:
      return {.faststar = {.mask_down = MaskDown::token_topk, .pu_mask = UpdateMask::token}, .keep_align = kMatrixTile};
    case ReductionPreset::beyond:
      // An early scale's error is read by all later ones: on the embedded model as many tokens cost least where the
      // last two scales alone give them (tests/bench/NOTES.md).
      return {.faststar = {.scorer = Scorer::temporal}, .ratios = {0, 0, 0.7, 0.7}};
  }
  return {};
}

void settle_preset(Settings& settings) {
  ReductionConfig& reduction = settings.config.reduction;
  if (!reduction.preset) return;
  const Source chosen = settings.origin("reduce_preset").source;
  // Gives way to what was set as strongly.
  const auto set = [&](std::string_view setting, auto& value, const auto& preset) {
    const Source source = settings.origin(setting).source;
    if (source == Source::standard || source < chosen) value = preset;
  };
  const PresetBundle bundle = bundle_of(*reduction.preset);
  set("faststar_scorer", reduction.faststar.scorer, bundle.faststar.scorer);
  set("faststar_mask_down", reduction.faststar.mask_down, bundle.faststar.mask_down);
  set("faststar_pu_mask", reduction.faststar.pu_mask, bundle.faststar.pu_mask);
  set("reduce_keep_align", reduction.keep_align, bundle.keep_align);
  const bool four_scales = reduction.scales == ScaleChoice{};
  if (four_scales && !bundle.ratios.empty()) set("ratios", reduction.ratios, bundle.ratios);
}

}  // namespace

std::span<const RetiredSetting> retired_reduction_settings() { return kRetired; }

bool keeps_meaning(const RetiredSetting& setting, std::string_view text) {
  double now = 0, then = 0;
  const Field any{};
  if (text == setting.value) return true;
  return parse_value(text, any, then) && parse_value(setting.value, any, now) && then == now;  // 1.0e-08 is 1e-8
}

void check_retired(const RetiredSetting& setting, std::string_view text, std::string_view where) {
  if (keeps_meaning(setting, text)) return;
  fail(ErrorKind::usage,
       fmt::format("{}: this setting was removed and now always is {}, got {}", where, setting.value, text),
       "leave the setting out");
}

bool is_retired(std::string_view section, std::string_view name, std::string_view text, std::string_view where) {
  for (const RetiredSetting& setting : kRetired) {
    if (setting.section != section || setting.name != name) continue;
    check_retired(setting, text, where);
    return true;
  }
  return false;
}

void settle_reduction(Settings& settings) {
  settle_no_reduce(settings);
  settle_preset(settings);
}

}  // namespace faststar
