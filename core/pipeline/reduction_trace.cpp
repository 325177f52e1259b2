#include "core/pipeline/reduction_trace.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/device.h"
#include "core/base/utf8.h"
#include "core/base/weights/safetensors.h"

namespace faststar {
namespace {

/// A map with as many frames as the clip: the last one repeated, as scores read it.
Tensor with_frames(const Tensor& map, int64_t frames) {
  if (!map.defined()) return map;
  const Tensor index = at::arange(frames, map.options().dtype(at::kLong)).clamp_max(map.size(2) - 1);
  return map.index_select(2, index);
}

}  // namespace

void ReductionTrace::add_reduced(const ReducedStep& reduced) {
  synchronize(reduced.output.device());
  const Clock::time_point start = Clock::now();
  const ReductionPlan& plan = reduced.plan;
  const auto& [maps, similarity] = plan.evidence;
  const auto add = [&](const char* name, const Tensor& tensor) {
    if (tensor.defined()) tensors_[fmt::format("step.{:03}.{}", reduced.step.index, name)] = tensor.cpu().contiguous();
  };
  add("input_features", reduced.input);
  add("prev_features", maps.previous);
  add("reference_features", with_frames(maps.reference, reduced.input.size(2)));
  add("spatial_similarity", similarity.spatial);
  add("temporal_similarity", similarity.temporal);
  add("score", similarity.score);
  add("feature_mask", plan.feature_mask);
  add("token_mask", plan.token_mask);
  if (plan.kept.defined()) add("kept", plan.kept.to(at::kInt));
  add("codes", reduced.codes);
  add("output_features", reduced.output);
  if (plan.kept.defined()) kept_[reduced.step.index] = plan.kept.size(0);
  last_ += Clock::now() - start;  // copying is not the step's work
}

void ReductionTrace::add_step(const Step& step, const Scale& scale, int64_t kept, int64_t rows) {
  const Clock::time_point now = Clock::now();
  const auto chosen = kept_.find(step.index);
  steps_.push_back({step, scale, chosen == kept_.end() ? kept : chosen->second, rows,
                    std::chrono::duration<double, std::milli>(now - last_).count()});
  last_ = now;
}

void ReductionTrace::write(const std::filesystem::path& file, const std::string& settings_json, int64_t seed,
                           Existing existing) const {
  nlohmann::ordered_json json;
  json["settings"] = nlohmann::ordered_json::parse(settings_json);
  json["seed"] = seed;
  json["steps"] = nlohmann::ordered_json::array();
  for (const StepRecord& record : steps_) {
    json["steps"].push_back({{"index", record.step.index},
                             {"clip", record.step.clip},
                             {"scale", record.step.scale},
                             {"repetition", record.step.repetition},
                             {"grid", {record.scale.t, record.scale.h, record.scale.w}},
                             {"tokens", record.scale.tokens()},
                             {"kept", record.kept},
                             {"rows", record.rows},
                             {"milliseconds", record.milliseconds}});
  }
  const std::string text = json_text(json);
  write_safetensors(file, tensors_, {{"faststar", text}}, existing);
}

}  // namespace faststar
