#include "core/config/reduction.h"

#include <fmt/format.h>

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

/// `preset` as options; what a preset does not name has the default.
FastStarOptions faststar_options(ReductionPreset preset) {
  switch (preset) {
    case ReductionPreset::paper: return {.mask_down = MaskDown::nearest};
    case ReductionPreset::exact: return {.mask_down = MaskDown::area_topk};
    case ReductionPreset::fast: return {.mask_down = MaskDown::token_topk, .pu_mask = UpdateMask::token};
    case ReductionPreset::beyond: return {.scorer = Scorer::temporal};
  }
  return {};
}

/// Tokens of a tile of the matrix products.
constexpr int kFastAlignment = 128;

void settle_preset(Settings& settings) {
  ReductionConfig& reduction = settings.config.reduction;
  if (!reduction.preset) return;
  const Source chosen = settings.origin("reduce_preset").source;
  const auto gives_way = [&](std::string_view setting) {
    const Source source = settings.origin(setting).source;
    return source != Source::standard && source >= chosen;
  };
  const FastStarOptions bundle = faststar_options(*reduction.preset);
  if (!gives_way("faststar_scorer")) reduction.faststar.scorer = bundle.scorer;
  if (!gives_way("faststar_mask_down")) reduction.faststar.mask_down = bundle.mask_down;
  if (!gives_way("faststar_pu_mask")) reduction.faststar.pu_mask = bundle.pu_mask;
  if (!gives_way("faststar_pu_boundary")) reduction.faststar.pu_boundary = bundle.pu_boundary;
  if (!gives_way("faststar_score_norm")) reduction.faststar.score_norm = bundle.score_norm;
  if (!gives_way("faststar_spatial_memory")) reduction.faststar.spatial_memory = bundle.spatial_memory;
  if (!gives_way("reduce_keep_align")) {
    reduction.keep_align = reduction.preset == ReductionPreset::fast ? kFastAlignment : 1;
  }
}

}  // namespace

void settle_reduction(Settings& settings) {
  settle_no_reduce(settings);
  settle_preset(settings);
}

}  // namespace faststar
