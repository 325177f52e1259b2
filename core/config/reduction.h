#pragma once
#include <array>
#include <optional>
#include <string>

#include "core/config/fields.h"
#include "core/model/reduce/settings.h"

/// The YAML section `reduction`, its sections a method, and the flags of both.
namespace faststar {

template <>
struct Choices<ReductionMethod> {
  static constexpr std::array<std::string_view, 8> names = {"none", "faststar", "fastvar", "sparsevar",
                                                            "tome", "stepvar",  "random",  "skip"};
};
template <>
struct Choices<ReductionPreset> {
  static constexpr std::array<std::string_view, 4> names = {"paper", "exact", "fast", "beyond"};
};
template <>
struct Choices<TopKScope> {
  static constexpr std::array<std::string_view, 2> names = {"clip", "frame"};
};
template <>
struct Choices<TieBreak> {
  static constexpr std::array<std::string_view, 2> names = {"hash", "index"};
};
template <>
struct Choices<GuidanceRows> {
  static constexpr std::array<std::string_view, 2> names = {"mean", "cond"};
};
template <>
struct Choices<ApgStatistics> {
  static constexpr std::array<std::string_view, 2> names = {"kept", "last_full"};
};
template <>
struct Choices<KeyValueStore> {
  static constexpr std::array<std::string_view, 1> names = {"kept"};
};
template <>
struct Choices<Scorer> {
  static constexpr std::array<std::string_view, 5> names = {"spatiotemporal", "spatial", "temporal", "random",
                                                            "oracle"};
};
template <>
struct Choices<NormDegree> {
  static constexpr std::array<std::string_view, 3> names = {"1", "2", "inf"};
};
template <>
struct Choices<SpatialPrevious> {
  static constexpr std::array<std::string_view, 3> names = {"prev_scale", "prev_iter", "last_full"};
};
template <>
struct Choices<FirstReference> {
  static constexpr std::array<std::string_view, 3> names = {"image_last_scale", "intra_clip", "none"};
};
template <>
struct Choices<TemporalReference> {
  static constexpr std::array<std::string_view, 4> names = {"prev_clip_same_scale", "prev_clip_last_scale",
                                                            "prev_clip_last_frame", "intra_clip"};
};
template <>
struct Choices<FrameMatch> {
  static constexpr std::array<std::string_view, 2> names = {"clamp", "resample"};
};
template <>
struct Choices<ScoreNorm> {
  static constexpr std::array<std::string_view, 3> names = {"none", "minmax", "rank"};
};
template <>
struct Choices<SpatialMemory> {
  static constexpr std::array<std::string_view, 2> names = {"none", "carry"};
};
template <>
struct Choices<MaskDown> {
  static constexpr std::array<std::string_view, 5> names = {"area_topk", "nearest", "nearest_exact", "area_half",
                                                            "token_topk"};
};
template <>
struct Choices<UpdateMask> {
  static constexpr std::array<std::string_view, 2> names = {"feature", "token"};
};
template <>
struct Choices<UpdateBoundary> {
  static constexpr std::array<std::string_view, 3> names = {"zero", "normalized", "nn_fill"};
};
template <>
struct Choices<FastVarCache> {
  static constexpr std::array<std::string_view, 2> names = {"first", "latest_full"};
};
template <>
struct Choices<TokenMean> {
  static constexpr std::array<std::string_view, 2> names = {"clip", "frame"};
};
template <>
struct Choices<RatioMode> {
  static constexpr std::array<std::string_view, 2> names = {"fixed", "dynamic"};
};
template <>
struct Choices<MergeScope> {
  static constexpr std::array<std::string_view, 2> names = {"layer", "backbone"};
};
template <>
struct Choices<Matching> {
  static constexpr std::array<std::string_view, 2> names = {"strided", "alternate"};
};
template <>
struct Choices<MergeMode> {
  static constexpr std::array<std::string_view, 2> names = {"mean", "replace"};
};
template <>
struct Choices<StepVarNormalize> {
  static constexpr std::array<std::string_view, 2> names = {"minmax", "none"};
};
template <>
struct Choices<StepVarRestore> {
  static constexpr std::array<std::string_view, 2> names = {"logits", "codes"};
};
template <>
struct Choices<Resample> {
  static constexpr std::array<std::string_view, 2> names = {"iter", "clip"};
};

/// What is said about reduction: the settings, and two short ways to say several of them.
struct ReductionConfig : ReductionSettings {
  std::optional<ReductionPreset> preset;
  bool no_reduce = false;  ///< method none, whatever weaker sources say
};

template <FieldsOf<ReductionConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "method",
              .flag = "reduce",
              .help = "token reduction, such as faststar",
              .argument = "METHOD",
              .page = HelpPage::screen},
        c.method);
  visit(Field{.name = "ratios", .help = "removed at each scale"}, c.ratios);
  visit(Field{.name = "preset", .flag = "reduce_preset", .help = "paper, exact, fast or beyond", .argument = "NAME"},
        c.preset);
  visit(Field{.name = "no_reduce", .help = "every token of every pass"}, c.no_reduce);
  visit(Field{.name = "scales", .flag = "reduce_scales", .help = "reduced scales: lastN, or a list"}, c.scales);
  visit(Field{.name = "last_rep_full", .flag = "reduce_last_rep_full", .help = "never the last of several repetitions"},
        c.last_rep_full);
  visit(Field{.name = "prune_image_clip", .help = "reduce the image clip too"}, c.prune_image_clip);
  visit(Field{.name = "topk_scope", .flag = "reduce_topk_scope", .help = "pools that tokens compete in"}, c.topk_scope);
  visit(Field{.name = "keep_align", .flag = "reduce_keep_align", .help = "kept counts: a multiple", .range = {1, 1024}},
        c.keep_align);
  visit(Field{.name = "tie_break", .flag = "reduce_tie_break", .help = "order of equal scores"}, c.tie_break);
  visit(Field{.name = "cfg_mask", .flag = "reduce_cfg_mask", .help = "guidance rows scored in layers"}, c.cfg_mask);
  visit(Field{.name = "apg_stats", .flag = "reduce_apg_stats", .help = "tokens that APG measures"}, c.apg_stats);
  visit(Field{.name = "kv_store", .flag = "reduce_kv_store", .help = "keys and values kept"}, c.kv_store);
  visit(Field{.name = "multi_clip_last_ratio_cap",
              .flag = "reduce_last_ratio_cap",
              .help = "largest ratio a later clip reads",
              .range = {0, 1}},
        c.multi_clip_last_ratio_cap);
}

template <FieldsOf<FastStarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "scorer", .flag = "faststar_scorer", .help = "what is scored", .argument = "WHAT"}, c.scorer);
  visit(Field{.name = "p", .flag = "p_norm", .help = "norm that joins the distances"}, c.p);
  visit(Field{.name = "spatial_prev",
              .flag = "faststar_spatial_prev",
              .help = "map before the current one",
              .argument = "MAP"},
        c.spatial_prev);
  visit(
      Field{.name = "temporal_ref_first", .flag = "faststar_first_ref", .help = "reference, clip 1", .argument = "MAP"},
      c.temporal_ref_first);
  visit(Field{.name = "temporal_ref", .flag = "faststar_temporal_ref", .help = "reference, later", .argument = "MAP"},
        c.temporal_ref);
  visit(Field{.name = "t_match", .flag = "faststar_t_match", .help = "a reference's frames", .argument = "HOW"},
        c.t_match);
  visit(Field{.name = "score_norm", .flag = "faststar_score_norm", .help = "terms before they join", .argument = "HOW"},
        c.score_norm);
  visit(Field{.name = "spatial_memory",
              .flag = "faststar_spatial_memory",
              .help = "spatial term where pruned",
              .argument = "HOW"},
        c.spatial_memory);
  visit(Field{.name = "mask_down", .flag = "faststar_mask_down", .help = "feature mask to tokens", .argument = "HOW"},
        c.mask_down);
  visit(Field{.name = "pu_mask", .flag = "faststar_pu_mask", .help = "where partial update adds"}, c.pu_mask);
  visit(Field{.name = "pu_boundary",
              .flag = "faststar_pu_boundary",
              .help = "codes beside pruned tokens",
              .argument = "HOW"},
        c.pu_boundary);
  visit(Field{.name = "eps", .flag = "faststar_eps", .help = "norms below are zero", .range = {0, 1}}, c.eps);
}

template <FieldsOf<FastVarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "layers", .flag = "fastvar_layers", .help = "first,end of reduced layers", .range = {0, 1024}},
        c.layers);
  visit(Field{.name = "cache", .flag = "fastvar_cache", .help = "pass that restores"}, c.cache);
  visit(Field{.name = "mean", .flag = "fastvar_mean", .help = "mean that tokens differ from"}, c.mean);
}

template <FieldsOf<SparseVarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "ratio_mode", .flag = "sparsevar_ratio_mode", .help = "given ratios, or by theta"}, c.ratio_mode);
  visit(Field{.name = "theta", .flag = "sparsevar_theta", .help = "share of the largest change", .range = {0, 1}},
        c.theta);
  visit(Field{.name = "window", .flag = "sparsevar_window", .help = "distance of anchors", .range = {1, 64}}, c.window);
  visit(Field{.name = "mse_layers",
              .flag = "sparsevar_mse_layers",
              .help = "first,end of measured layers",
              .range = {0, 1024}},
        c.mse_layers);
  visit(Field{.name = "beta", .flag = "sparsevar_beta", .help = "cosine that copies an anchor", .range = {-1, 1}},
        c.beta);
  visit(Field{.name = "force_anchors", .flag = "sparsevar_force_anchors", .help = "keep anchors first"},
        c.force_anchors);
}

template <FieldsOf<ToMeOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "scope", .flag = "tome_scope", .help = "merge in each layer, or once"}, c.scope);
  visit(Field{.name = "matching", .flag = "tome_matching", .help = "which tokens are destinations"}, c.matching);
  visit(Field{.name = "dst_stride", .flag = "tome_dst_stride", .help = "t,h,w of a cell", .range = {1, 64}},
        c.dst_stride);
  visit(Field{.name = "dst_rand", .flag = "tome_dst_rand", .help = "draw the cell's member"}, c.dst_rand);
  visit(Field{.name = "merge_mode", .flag = "tome_merge_mode", .help = "what a destination becomes"}, c.merge_mode);
}

template <FieldsOf<StepVarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "weight", .flag = "stepvar_weight", .help = "of the structure score", .range = {0, 1e6}},
        c.weight);
  visit(Field{.name = "normalize", .flag = "stepvar_normalize", .help = "scores before they join"}, c.normalize);
  visit(Field{.name = "iters", .flag = "stepvar_iters", .help = "power iterations", .range = {1, 1000}}, c.iters);
  visit(Field{.name = "pool", .flag = "stepvar_pool", .help = "edge of the local mean", .range = {1, 15}}, c.pool);
  visit(Field{.name = "pool_t", .flag = "stepvar_pool_t", .help = "its frames", .range = {1, 15}}, c.pool_t);
  visit(Field{.name = "restore", .flag = "stepvar_restore", .help = "what a pruned token copies"}, c.restore);
}

template <FieldsOf<RandomOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "resample", .flag = "random_resample", .help = "places: every pass, or once"}, c.resample);
}

/// Calls visit(section name, section): `reduction`, then the section of each method inside it.
template <FieldsOf<ReductionConfig> Self, typename Visitor>
void visit_reduction_sections(Self& c, Visitor&& visit) {
  visit("reduction", c);
  visit("reduction.faststar", c.faststar);
  visit("reduction.fastvar", c.fastvar);
  visit("reduction.sparsevar", c.sparsevar);
  visit("reduction.tome", c.tome);
  visit("reduction.stepvar", c.stepvar);
  visit("reduction.random", c.random);
}

struct Settings;

/// Turns --no-reduce and the preset into the settings they stand for. A preset gives way to what sources at least as
/// strong say one by one. Throws Error(usage) when one source asks for a method and for none.
void settle_reduction(Settings& settings);

}  // namespace faststar
