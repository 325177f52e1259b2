#pragma once
#include <map>
#include <optional>

#include "core/base/progress.h"
#include "core/pipeline/request.h"

namespace faststar {

/// Token ids of the prompt and, when there is one, of the negative prompt: [T] int64 each.
struct TextIds {
  Tensor prompt;
  std::optional<Tensor> negative;
  bool cut = false;  ///< the prompt was over the limit

  /// Tokens of the longer one.
  int64_t tokens() const;
};

/// Tokenizes; a text of more than `limit` tokens, or of more than the model takes, is cut with one warning that shows
/// what was cut. Throws Error(model) when the vocabulary belongs to another model.
TextIds tokenize(Model& model, const std::string& prompt, const std::optional<std::string>& negative, int64_t limit);

/// A request and all that is known of its run before any weight loads.
struct Plan {
  Request request;
  TextIds ids;
  std::optional<Tensor> source;  ///< pixels of read_source
  Workload work;
  MemoryPlan memory;
  std::map<Stage, double> costs;  ///< estimated seconds of all outputs
};

/// Reads and tokenizes what `request` names and chooses a memory plan.
/// Throws Error(input) for the source, Error(model) for the vocabulary, Error(device) when no memory plan fits,
/// Error(output) when the disk is full.
Plan make_plan(Model& model, Request request);

/// Share of a decode that completing the file takes beyond it; encoding itself overlaps decoding.
inline constexpr double kFileShare = 0.1;

/// Estimated seconds until all weights are loaded: next to none when they are random, none when they are there.
double load_cost(const Model& model, const MemoryPlan& memory);

/// Estimated seconds of all that one output decodes at the end.
double final_decode_seconds(const Workload& work);

}  // namespace faststar
