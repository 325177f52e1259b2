#pragma once
#include <map>
#include <optional>

#include "core/base/progress.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/pipeline.h"

namespace faststar {

/// A request and all that is known of its run before any weight loads.
struct Plan {
  Request request;
  TextIds ids;
  std::optional<Tensor> source;  ///< pixels of read_source
  Workload work;
  MemoryPlan memory;
  ShownFrames shown;
  std::map<Stage, double> costs;  ///< estimated seconds of all outputs
};

/// Reads and tokenizes what `request` names and chooses a memory plan; saved codes need neither.
/// Throws Error(input) for the source, Error(model) for the vocabulary and for codes of another VAE, Error(device) when
/// no memory plan fits, Error(output) when the disk is full.
Plan make_plan(const Pipeline& pipeline, Request request);

/// Estimated seconds until all weights are loaded: next to none when they are random, none when they are there.
double load_cost(const Model& model, const MemoryPlan& memory);

}  // namespace faststar
