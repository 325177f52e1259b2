#pragma once
#include <optional>

#include "core/pyramid/schedule.h"
#include "core/reduce/gate.h"
#include "core/star/architecture.h"
#include "core/star/block.h"
#include "core/text/t5.h"
#include "core/vae/architecture.h"

namespace faststar {

/// What one video costs depends on this alone: known before any weight is loaded.
struct Workload {
  StarArchitecture star;
  T5Architecture t5;
  VaeArchitecture vae;
  Schedule schedule;
  Repetitions repetitions;
  int64_t guidance_rows = 2;  ///< 2 with guidance, else 1
  int64_t text_tokens = 512;
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  std::optional<ReductionGate> gate;  ///< none: every pass computes every token
};

/// Tokens that a step computes.
int64_t tokens_of(const Workload& work, const Step& step);

/// Tokens that a step attends to besides its own: text and what the last scale of the clip before kept.
int64_t context_tokens(const Workload& work, const Step& step);

}  // namespace faststar
