#include "core/pipeline/text_ids.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/model/text/tokenizer.h"

namespace faststar {
namespace {

Tensor tokenize(const Tokenizer& tokenizer, const std::string& text, int64_t limit, const char* what) {
  const Tokenizer::Encoded encoded = tokenizer.encode(text, limit);
  if (!encoded.cut.empty()) log::warn("{}: more than {} tokens, cut: \"{}\"", what, limit, encoded.cut);
  return at::tensor(encoded.ids, at::kLong);
}

}  // namespace

int64_t TextIds::tokens() const { return std::max(prompt.size(0), negative ? negative->size(0) : 0); }

TextIds tokenize_texts(const Texts& texts, const OpenModel& model) {
  const Tokenizer tokenizer(model.vocabulary);
  if (tokenizer.vocabulary_size() > model.t5_architecture.vocabulary) {
    fail(ErrorKind::model,
         fmt::format("{}: {} pieces, but the text encoder {} knows {}: this vocabulary belongs to another model",
                     model.vocabulary.string(), tokenizer.vocabulary_size(), model.t5->origin(),
                     model.t5_architecture.vocabulary));
  }
  const int64_t limit = std::min(texts.limit, model.star_architecture.text_rows);
  TextIds ids{.prompt = tokenize(tokenizer, texts.prompt, limit, "prompt"), .negative = {}};
  if (texts.negative) ids.negative = tokenize(tokenizer, *texts.negative, limit, "negative prompt");
  return ids;
}

}  // namespace faststar
