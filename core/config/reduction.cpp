#include "core/config/reduction.h"

#include <fmt/format.h>

#include <vector>

#include "core/base/error.h"
#include "core/config/settings.h"

namespace faststar {
namespace {

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
  set("faststar_pu_boundary", reduction.faststar.pu_boundary, bundle.faststar.pu_boundary);
  set("faststar_score_norm", reduction.faststar.score_norm, bundle.faststar.score_norm);
  set("faststar_spatial_memory", reduction.faststar.spatial_memory, bundle.faststar.spatial_memory);
  set("reduce_keep_align", reduction.keep_align, bundle.keep_align);
  const bool four_scales = reduction.scales == ReducedScales{};
  if (four_scales && !bundle.ratios.empty()) set("ratios", reduction.ratios, bundle.ratios);
}

}  // namespace

void settle_reduction(Settings& settings) {
  settle_no_reduce(settings);
  settle_preset(settings);
}

}  // namespace faststar
