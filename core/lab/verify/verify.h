#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/process_group.h"
#include "core/lab/verify/comparison.h"
#include "core/model/quantize.h"
#include "core/model/star/attention.h"

namespace faststar {

struct VerifyOptions {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;                    ///< float32, or bfloat16 for transformer, T5 and VAE decoder
  LinearPrecision linears = LinearPrecision::backbone;  ///< of the transformer
  AttentionBackend attention = AttentionBackend::automatic;
  /// The processes that share the passes of the transformer and the decodes. All of them get the same report.
  std::shared_ptr<ProcessGroup> group = std::make_shared<ProcessGroup>();
};

struct VerifyReport {
  bool passed = false;  ///< no component failed
  std::vector<ComponentResult> components;
};

/// Compares every component with what the official implementation computed (rules: the parity README). In bfloat16
/// runs are teacher-forced and their bits counted but not judged; on a GPU an error may be at most 1.5 times that of
/// the plain ATen path. With 8-bit linear layers the same
/// holds, but logits are judged by the norm of their errors. Conditioned tasks and
/// `quantize` always decode in float32: they test the path, `vae_decode` tests the precision. `on_result` is called
/// with each component as it finishes. Throws Error(input) for a set that cannot be read or is empty, Error(model) when
/// its weights do not load.
VerifyReport verify_fixture_set(const std::filesystem::path& folder, const VerifyOptions& options,
                                const std::function<void(const ComponentResult&)>& on_result = {});

/// The report as one JSON object: {"passed", "components": [{"name", "elements", "max_abs", ...}]}.
std::string to_json(const VerifyReport& report);

/// Largest errors allowed, as a fraction of a tensor's largest magnitude.
struct Tolerances {
  double t5, logits, vae;
};
Tolerances tolerances_of(const VerifyOptions& options);

}  // namespace faststar
