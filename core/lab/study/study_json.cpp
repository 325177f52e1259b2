#include "core/lab/study/part_json.h"
#include "core/lab/study/report.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json spread_json(const Spread& spread) {
  if (spread.count == 0) return nullptr;
  return {{"count", spread.count},
          {"mean", spread.mean},
          {"deviation", spread.deviation},
          {"standard_error", spread.standard_error()},
          {"median", spread.median}};
}

Json passes_json(const ArmSummary& arm) {
  Json passes = Json::array();
  for (const ReducedPassRecord& pass : arm.passes) {
    passes.push_back({{"scale", pass.scale},
                      {"repetition", pass.repetition},
                      {"tokens", pass.tokens},
                      {"kept", pass.kept},
                      {"spatial_similarity", value_or_null(pass.spatial)},
                      {"temporal_similarity", value_or_null(pass.temporal)},
                      {"pruned_again", value_or_null(pass.pruned_again)}});
  }
  return passes;
}

Json arm_json(const ArmSummary& arm) {
  return {{"variant", arm.name},
          {"settings", arm.settings},
          {"prompts", arm.prompts},
          {"identical", arm.identical},
          {"tokens", arm.tokens},
          {"kept", arm.kept},
          {"psnr", spread_json(arm.psnr)},
          {"psnr_pooled", value_or_null(arm.pooled_psnr)},
          {"ssim", arm.psnr.count > 0 ? Json(arm.ssim) : Json(nullptr)},
          {"psnr_above_random", spread_json(arm.from_random)},
          {"wins_over_random", arm.from_random.count > 0 ? Json(arm.wins) : Json(nullptr)},
          {"backbone_ms", arm.backbone_ms},
          {"end_to_end_ms", arm.end_to_end_ms},
          {"backbone_speedup", spread_json(arm.backbone_speedup)},
          {"end_to_end_speedup", spread_json(arm.end_to_end_speedup)},
          {"scale_ms", arm.scale_ms},
          {"part_ms", arm.part_ms.empty() ? Json(nullptr) : parts_json(arm.part_ms)},
          {"attributes_right", value_or_null(arm.right)},
          {"given_psnr", spread_json(arm.given_psnr)},
          {"truth_psnr", spread_json(arm.truth_psnr)},
          {"truth_psnr_above_dense", spread_json(arm.truth_from_dense)},
          {"truth_psnr_above_random", spread_json(arm.truth_from_random)},
          {"passes", passes_json(arm)}};
}

}  // namespace

std::string study_json(const StudySummary& study) {
  Json json = {{"setup", study.setup}, {"prompts", study.prompts}, {"scales", Json::array()}};
  for (const Scale& scale : study.scales) json["scales"].push_back({scale.t, scale.h, scale.w});
  json["high_frequency_share"] = study.high_frequency;
  json["variants"] = Json::array();
  for (const ArmSummary& arm : study.arms) json["variants"].push_back(arm_json(arm));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace faststar
