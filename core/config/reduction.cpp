#include "core/config/reduction.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "core/config/settings.h"
#include "core/error.h"

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
      // An early scale's error is read by all later ones: on the embedded model as many tokens cost least where the last
      // two scales alone give them (tests/bench/NOTES.md).
      return {.faststar = {.scorer = Scorer::temporal}, .ratios = {0, 0, 0.7, 0.7}};
  }
  return {};
}

void settle_preset(Settings& settings) {
  ReductionConfig& reduction = settings.config.reduction;
  if (!reduction.preset) return;
  const Source chosen = settings.origin("reduce_preset").source;
  const auto gives_way = [&](std::string_view setting) {
    const Source source = settings.origin(setting).source;
    return source != Source::standard && source >= chosen;
  };
  PresetBundle bundle = bundle_of(*reduction.preset);
  const FastStarOptions& options = bundle.faststar;
  if (!gives_way("faststar_scorer")) reduction.faststar.scorer = options.scorer;
  if (!gives_way("faststar_mask_down")) reduction.faststar.mask_down = options.mask_down;
  if (!gives_way("faststar_pu_mask")) reduction.faststar.pu_mask = options.pu_mask;
  if (!gives_way("faststar_pu_boundary")) reduction.faststar.pu_boundary = options.pu_boundary;
  if (!gives_way("faststar_score_norm")) reduction.faststar.score_norm = options.score_norm;
  if (!gives_way("faststar_spatial_memory")) reduction.faststar.spatial_memory = options.spatial_memory;
  if (!gives_way("reduce_keep_align")) reduction.keep_align = bundle.keep_align;
  const bool fits = reduction.scales == ReducedScales{};
  if (!bundle.ratios.empty() && fits && !gives_way("ratios")) reduction.ratios = std::move(bundle.ratios);
}

}  // namespace

void settle_reduction(Settings& settings) {
  settle_no_reduce(settings);
  settle_preset(settings);
}

}  // namespace faststar
