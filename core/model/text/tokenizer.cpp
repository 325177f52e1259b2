#include "core/model/text/tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "core/base/error.h"

namespace faststar {
namespace {

/// T5's `</s>`.
constexpr int kEndToken = 1;

}  // namespace

Tokenizer::Tokenizer(const std::filesystem::path& model)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(model, ignored)) {
    fail(ErrorKind::model, fmt::format("{}: the tokenizer is missing", model.string()),
         "a T5 folder holds spiece.model beside the weights");
  }
  if (!processor_->Load(model.string()).ok() || processor_->GetPieceSize() == 0) {
    fail(ErrorKind::model, fmt::format("{}: expected a SentencePiece model, got something else", model.string()));
  }
  if (processor_->eos_id() != kEndToken) {
    fail(ErrorKind::model, fmt::format("{}: expected a T5 vocabulary with the end token at id {}, got {}",
                                       model.string(), kEndToken, processor_->eos_id()));
  }
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer::Encoded Tokenizer::encode(std::string_view text, int64_t limit) const {
  const std::string owned(text);
  Encoded encoded;
  const auto proto = processor_->EncodeAsImmutableProto(owned);  // the pieces point into it
  for (const auto& piece : proto.pieces()) {
    if (static_cast<int64_t>(encoded.ids.size()) == limit - 1) {
      encoded.cut = owned.substr(piece.begin());
      break;
    }
    encoded.ids.push_back(piece.id());
  }
  encoded.ids.push_back(kEndToken);
  return encoded;
}

int64_t Tokenizer::vocabulary_size() const { return processor_->GetPieceSize(); }

}  // namespace faststar
