#include "core/lab/verify/verify.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/lab/verify/components.h"

namespace faststar {
namespace {

/// Largest error in bfloat16, as a multiple of what the plain ATen path has.
constexpr double kReferenceFactor = 1.5;

const char* const kTransformer = "star_weights";
const char* const kVae = "vae_weights.pth";
const char* const kText = "star_greedy.safetensors";  // whose text features all STAR fixtures share

struct Component {
  const char* name;
  std::vector<const char*> files;    ///< without any of these it is absent
  std::vector<const char*> weights;  ///< without these a component that is there cannot load
  ComponentResult (*verify)(const FixtureSet&, const VerifyOptions&);
  bool compare_with_reference = false;  ///< has kernels and is judged by logits or pixels
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

bool is_there(const Component& component, const FixtureSet& set) {
  return std::all_of(component.files.begin(), component.files.end(), [&](const char* file) { return set.has(file); });
}

void require_weights(const Component& component, const FixtureSet& set) {
  for (const char* weights : component.weights) {
    if (!set.has(weights)) {
      fail(ErrorKind::model, fmt::format("{}: is missing, {} needs it", set.path(weights).string(), component.name));
    }
  }
}

/// Settings that do not fit the tensors beside them are the set's fault.
ComponentResult verify_component(const Component& component, const FixtureSet& set, const VerifyOptions& options) {
  try {
    return component.verify(set, options);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::input, fmt::format("{}: {}", component.name, error.what()));
  } catch (const std::out_of_range&) {
    fail(ErrorKind::input, fmt::format("{}: settings and tensors disagree about the number of steps", component.name));
  }
}

/// Puts the kernel switch back at the end of a scope.
struct ReferenceKernels {
  ReferenceKernels() { set_kernels(Kernels::reference); }
  ~ReferenceKernels() { set_kernels(Kernels::automatic); }
  ReferenceKernels(const ReferenceKernels&) = delete;
  ReferenceKernels& operator=(const ReferenceKernels&) = delete;
};

ComponentResult run_on_reference(const Component& component, const FixtureSet& set, VerifyOptions options) {
  const ReferenceKernels scope;
  options.attention = AttentionBackend::aten;
  return verify_component(component, set, options);
}

ComponentResult run(const Component& component, const FixtureSet& set, const VerifyOptions& options) {
  if (!is_there(component, set)) return {.name = component.name};
  require_weights(component, set);
  ComponentResult result = verify_component(component, set, options);
  if (component.compare_with_reference && options.dtype == at::kBFloat16 && options.device.is_cuda()) {
    result.reference_max_rel = run_on_reference(component, set, options).max_rel;
    if (result.verdict == Verdict::pass && result.max_rel > kReferenceFactor * *result.reference_max_rel) {
      result.verdict = Verdict::fail;
      result.reason = fmt::format("error {:.2e}, more than {} times the ATen path's {:.2e}", result.max_rel,
                                  kReferenceFactor, *result.reference_max_rel);
    }
  }
  return result;
}

std::string verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return "pass";
    case Verdict::fail: return "fail";
    case Verdict::absent: return "absent";
  }
  return "";
}

}  // namespace

Tolerances tolerances_of(at::ScalarType dtype) {
  if (dtype == at::kFloat) return {.t5 = 2e-4, .logits = 2e-4, .vae = 2e-4};
  return {.t5 = 3e-2, .logits = 4e-2, .vae = 4e-2};
}

VerifyReport verify_fixture_set(const std::filesystem::path& folder, const VerifyOptions& options,
                                const std::function<void(const ComponentResult&)>& on_result) {
  const c10::InferenceMode inference;
  const c10::DeviceGuard guard(options.device);
  set_up_backends();
  const FixtureSet set(folder, options.device, options.dtype);
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
    nlohmann::ordered_json entry = {{"name", result.name},           {"elements", result.elements},
                                    {"max_abs", result.max_abs},     {"max_rel", result.max_rel},
                                    {"bits", result.bits},           {"bits_differing", result.bits_differing},
                                    {"tolerance", result.tolerance}, {"verdict", verdict_name(result.verdict)}};
    if (result.reference_max_rel) entry["reference_max_rel"] = *result.reference_max_rel;
    if (!result.reason.empty()) entry["reason"] = result.reason;
    json["components"].push_back(std::move(entry));
  }
  return json.dump(1);
}

}  // namespace faststar
