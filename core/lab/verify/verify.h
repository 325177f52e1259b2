#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/lab/verify/comparison.h"
#include "core/model/star/attention.h"

namespace faststar {

struct VerifyOptions {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;  ///< float32, or bfloat16 for transformer, T5 and VAE decoder
  AttentionBackend attention = AttentionBackend::automatic;
};

struct VerifyReport {
  bool passed = false;  ///< no component failed
  std::vector<ComponentResult> components;
};

/// Compares every component with what the official implementation computed (the parity README says how it is
/// judged). In bfloat16 runs are teacher-forced and their bits counted, not judged; on a GPU an error may not
/// exceed 1.5 times that of the plain ATen path. Conditioned tasks and `quantize` decode in float32 always: their
/// subject is the path, `vae_decode` is about precision. `on_result` hears of each component as it is done.
/// Throws Error(input) for a set that cannot be read or holds nothing, Error(model) when its weights do not load.
VerifyReport verify_fixture_set(const std::filesystem::path& folder, const VerifyOptions& options,
                                const std::function<void(const ComponentResult&)>& on_result = {});

/// The report as interface.md has it, one JSON object.
std::string to_json(const VerifyReport& report);

/// Allowed errors, as shares of a tensor's largest magnitude.
struct Tolerances {
  double t5, logits, vae;
};
Tolerances tolerances_of(at::ScalarType dtype);

}  // namespace faststar
