#pragma once
#include <optional>
#include <string>

#include "core/base/tensor.h"
#include "core/pipeline/open_model.h"

namespace faststar {

/// What is to be encoded.
struct Texts {
  std::string prompt;
  std::optional<std::string> negative;
  int64_t limit = 512;  ///< tokens of each; the model's own limit may be lower
};

/// Token ids of the prompt and, when there is one, of the negative prompt: [T] int64 each.
struct TextIds {
  Tensor prompt;
  std::optional<Tensor> negative;

  /// Tokens of the longer one.
  int64_t tokens() const;
};

/// Tokenizes; what is over the limit is cut with one warning a text that shows what was cut.
/// Throws Error(model) when the vocabulary belongs to another model.
TextIds tokenize_texts(const Texts& texts, const OpenModel& model);

}  // namespace faststar
