#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "core/config/fields.h"
#include "core/model/reduce/settings.h"

/// The YAML section `reduction`, its sections a method, and the flags of both.
namespace faststar {

constexpr auto choice_words(ReductionMethod) {
  return word_list("none", "faststar", "fastvar", "sparsevar", "tome", "stepvar", "random", "skip");
}
constexpr auto choice_words(ReductionPreset) { return word_list("paper", "exact", "fast", "beyond"); }
constexpr auto choice_words(ApgStatistics) { return word_list("kept", "last_full"); }
constexpr auto choice_words(Scorer) { return word_list("spatiotemporal", "spatial", "temporal", "random", "oracle"); }
constexpr auto choice_words(NormDegree) { return word_list("1", "2", "inf"); }
constexpr auto choice_words(MaskDown) { return word_list("area_topk", "nearest", "token_topk"); }
constexpr auto choice_words(UpdateMask) { return word_list("feature", "token"); }
constexpr auto choice_words(RatioMode) { return word_list("fixed", "dynamic"); }
constexpr auto choice_words(Matching) { return word_list("strided", "alternate"); }
constexpr auto choice_words(StepVarNormalize) { return word_list("minmax", "none"); }

/// A section all of whose settings are retired.
struct RetiredSection {};
template <FieldsOf<RetiredSection> Self, typename Visitor>
void visit_fields(Self&, Visitor&&) {}

/// The settings of reduction, and two short ways to set several of them.
struct ReductionConfig : ReductionSettings {
  std::optional<ReductionPreset> preset;
  bool no_reduce = false;  ///< method none, whatever weaker sources say
  RetiredSection random;
};

template <FieldsOf<ReductionConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "method",
         .flag = "reduce",
         .help = "token reduction, such as faststar",
         .argument = "METHOD",
         .basic = true},
        c.method);
  visit({.name = "ratios", .help = "share removed per scale"}, c.ratios);
  visit({.name = "preset", .flag = "reduce_preset", .help = "paper, exact, fast or beyond", .argument = "NAME"},
        c.preset);
  visit({.name = "no_reduce", .help = "compute every token of every pass"}, c.no_reduce);
  visit({.name = "scales", .flag = "reduce_scales", .help = "reduced scales: lastN, or a list"}, c.scales);
  visit({.name = "prune_image_clip", .help = "reduce the image clip too"}, c.prune_image_clip);
  visit({.name = "keep_align", .flag = "reduce_keep_align", .help = "kept counts: multiples of N", .range = {1, 1024}},
        c.keep_align);
  visit({.name = "apg_stats", .flag = "reduce_apg_stats", .help = "tokens that APG is measured over"}, c.apg_stats);
}

template <FieldsOf<FastStarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "scorer", .flag = "faststar_scorer", .help = "how tokens are scored", .argument = "WHAT"}, c.scorer);
  visit({.name = "p", .flag = "p_norm", .help = "norm that combines the two distances"}, c.p);
  visit({.name = "mask_down", .flag = "faststar_mask_down", .help = "feature mask to token mask", .argument = "HOW"},
        c.mask_down);
  visit({.name = "pu_mask", .flag = "faststar_pu_mask", .help = "where the partial update adds"}, c.pu_mask);
}

template <FieldsOf<FastVarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "layers", .flag = "fastvar_layers", .help = "first,end of reduced layers", .range = {0, 1024}},
        c.layers);
}

template <FieldsOf<SparseVarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "ratio_mode", .flag = "sparsevar_ratio_mode", .help = "given ratios, or by theta"}, c.ratio_mode);
  visit({.name = "theta", .flag = "sparsevar_theta", .help = "threshold, relative to the maximum", .range = {0, 1}},
        c.theta);
  visit({.name = "mse_layers",
         .flag = "sparsevar_mse_layers",
         .help = "first,end of measured layers",
         .range = {0, 1024}},
        c.mse_layers);
  visit({.name = "beta", .flag = "sparsevar_beta", .help = "minimum cosine to copy an anchor", .range = {-1, 1}},
        c.beta);
}

template <FieldsOf<ToMeOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "matching", .flag = "tome_matching", .help = "which tokens are destinations"}, c.matching);
  visit({.name = "dst_stride", .flag = "tome_dst_stride", .help = "t,h,w of a destination's cell", .range = {1, 64}},
        c.dst_stride);
}

template <FieldsOf<StepVarOptions> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "weight", .flag = "stepvar_weight", .help = "weight of the structure score", .range = {0, 1e6}},
        c.weight);
  visit({.name = "normalize", .flag = "stepvar_normalize", .help = "normalize scores before adding"}, c.normalize);
}

/// A setting of earlier versions. The program now always does what `value` meant.
struct RetiredSetting {
  std::string_view section;  ///< "reduction.faststar"
  std::string_view name;
  std::string_view flag;  ///< Field::setting()
  std::string_view value;
};

/// All of them.
std::span<const RetiredSetting> retired_reduction_settings();

/// True when `text` is the value that the setting now always has.
bool keeps_meaning(const RetiredSetting& setting, std::string_view text);

/// Throws Error(usage) naming `where` unless `text` is the value that the setting now always has.
void check_retired(const RetiredSetting& setting, std::string_view text, std::string_view where);

/// True when `name` was a setting of `section`; its value is checked.
bool is_retired(std::string_view section, std::string_view name, std::string_view text, std::string_view where);

struct Settings;

/// Turns --no-reduce and the preset into the settings they stand for. A preset gives way to what sources at least as
/// strong say one by one. Throws Error(usage) when one source asks for a method and for none.
void settle_reduction(Settings& settings);

}  // namespace faststar
