#include "core/lab/verify/verify.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/lab/verify/components.h"

namespace faststar {
namespace {

/// Largest error allowed in bfloat16, as a multiple of the plain ATen path's.
constexpr double kReferenceFactor = 1.5;

/// In the norm: the noise floor of bfloat16 on the public set, 0.012, times what a product in E4M3 is further off than
/// one in bfloat16, 0.0375 / 0.00166 (`bench ops`).
constexpr double kFp8Logits = 0.27;

const char* const kTransformer = "star_weights";
const char* const kVae = "vae_weights.pth";
const char* const kText = "star_greedy.safetensors";  // its text features are those of all STAR fixtures

struct Component {
  const char* name;
  std::vector<const char*> files;    ///< absent when one of these is missing
  std::vector<const char*> weights;  ///< required when all files are there
  ComponentResult (*verify)(const FixtureSet&, const VerifyOptions&);
  bool compare_with_reference = false;  ///< uses kernels, and is compared by logits or pixels
};

const std::vector<Component>& components() {
  static const std::vector<Component> all = {
      {"t5", {"t5/io.safetensors"}, {"t5"}, verify_t5, true},
      {"tokenizer", {"t5/tokens.json"}, {"t5/spiece.model"}, verify_tokenizer},
      {"schedules", {"schedules.json"}, {}, verify_schedules},
      {"guidance", {"guidance.safetensors"}, {}, verify_guidance},
      {"star_greedy", {"star_greedy.safetensors", "meta.json"}, {kTransformer}, verify_star_greedy},
      {"star_forced", {"star_forced.safetensors", kText, "meta.json"}, {kTransformer}, verify_star_forced, true},
      {"star_i2v", {"star_i2v.safetensors", kText, "tasks.json"}, {kTransformer, kVae}, verify_star_i2v},
      {"star_three_clips",
       {"star_three_clips.safetensors", kText, "tasks.json"},
       {kTransformer},
       verify_star_three_clips},
      {"star_v2v", {"star_v2v.safetensors", kText, "tasks.json"}, {kTransformer}, verify_star_v2v},
      {"star_interactive",
       {"star_interactive.safetensors", kText, "tasks.json"},
       {kTransformer, kVae},
       verify_star_interactive},
      {"vae_encode", {"vae_io.safetensors"}, {kVae}, verify_vae_encode},
      {"vae_decode", {"vae_io.safetensors"}, {kVae}, verify_vae_decode, true},
      {"quantize", {"quantize.safetensors", "meta.json"}, {kVae}, verify_quantize},
      {"images", {"images.safetensors", "tasks.json"}, {}, verify_images},
  };
  return all;
}

void require_weights(const Component& component, const FixtureSet& set) {
  for (const char* weights : component.weights) {
    if (!set.has(weights)) {
      fail(ErrorKind::model, fmt::format("{}: missing, {} needs it", set.path(weights).string(), component.name));
    }
  }
}

/// The set is at fault when its JSON has not the expected form or does not fit the tensors.
ComponentResult verify_component(const Component& component, const FixtureSet& set, const VerifyOptions& options) {
  try {
    return component.verify(set, options);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::input, fmt::format("{} ({}): {}", component.name, fmt::join(component.files, ", "), error.what()));
  } catch (const std::out_of_range&) {
    fail(ErrorKind::input, fmt::format("{} ({}): settings and tensors have different numbers of steps", component.name,
                                       fmt::join(component.files, ", ")));
  }
}

ComponentResult run_on_reference(const Component& component, const FixtureSet& set, VerifyOptions options) {
  const BackendScope scope(Kernels::reference);
  options.attention = AttentionBackend::aten;
  return verify_component(component, set, options);
}

ComponentResult run(const Component& component, const FixtureSet& set, const VerifyOptions& options) {
  if (!std::ranges::all_of(component.files, [&](const char* file) { return set.has(file); })) {
    return {.name = component.name};
  }
  require_weights(component, set);
  ComponentResult result = verify_component(component, set, options);
  if (component.compare_with_reference && options.dtype == at::kBFloat16 && options.device.is_cuda()) {
    result.reference_max_rel = run_on_reference(component, set, options).max_rel;
    if (result.verdict == Verdict::pass && result.max_rel > kReferenceFactor * *result.reference_max_rel) {
      result.verdict = Verdict::fail;
      result.reason = fmt::format("error {:.2e}, expected at most {} times that of the ATen path, {:.2e}",
                                  result.max_rel, kReferenceFactor, *result.reference_max_rel);
    }
  }
  return result;
}

const char* verdict_name(Verdict verdict) {
  return verdict == Verdict::pass ? "pass" : verdict == Verdict::fail ? "fail" : "absent";
}

}  // namespace

Tolerances tolerances_of(const VerifyOptions& options) {
  Tolerances tolerances{.t5 = 3e-2, .logits = 4e-2, .vae = 4e-2};
  if (options.dtype == at::kFloat) tolerances = {.t5 = 2e-4, .logits = 2e-4, .vae = 2e-4};
  if (options.linears == LinearPrecision::fp8) tolerances.logits = kFp8Logits;
  return tolerances;
}

VerifyReport verify_fixture_set(const std::filesystem::path& folder, const VerifyOptions& options,
                                const std::function<void(const ComponentResult&)>& on_result) {
  const c10::InferenceMode inference;
  const c10::DeviceGuard guard(options.device);
  set_up_backends();
  const FixtureSet set(folder, options.device, options.dtype, options.linears);
  VerifyReport report{.passed = true};
  bool any = false;
  for (const Component& component : components()) {
    report.components.push_back(run(component, set, options));
    const ComponentResult& result = report.components.back();
    if (result.verdict == Verdict::fail) report.passed = false;
    any = any || result.verdict != Verdict::absent;
    if (on_result) on_result(result);
  }
  if (!any) fail(ErrorKind::input, fmt::format("{}: expected a fixture set, found none of its files", folder.string()));
  return report;
}

std::string to_json(const VerifyReport& report) {
  nlohmann::ordered_json json = {{"passed", report.passed}, {"components", nlohmann::ordered_json::array()}};
  for (const ComponentResult& result : report.components) {
    nlohmann::ordered_json entry = {{"name", result.name},
                                    {"elements", result.elements},
                                    {"max_abs", result.max_abs},
                                    {"max_rel", result.max_rel},
                                    {"norm_rel", result.norm_rel},
                                    {"bits", result.bits},
                                    {"bits_differing", result.bits_differing},
                                    {"tolerance", result.tolerance},
                                    {"verdict", verdict_name(result.verdict)}};
    if (result.reference_max_rel) entry["reference_max_rel"] = *result.reference_max_rel;
    if (!result.reason.empty()) entry["reason"] = result.reason;
    json["components"].push_back(std::move(entry));
  }
  return json.dump(1);
}

}  // namespace faststar
