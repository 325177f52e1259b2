#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace faststar {

/// The T5 tokenizer: SentencePiece pieces and the end token.
class Tokenizer {
 public:
  /// Loads an official `spiece.model`. Throws Error(model) when it is missing or not a SentencePiece model.
  explicit Tokenizer(const std::filesystem::path& model);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  struct Encoded {
    std::vector<int64_t> ids;  ///< ends with the end token
    std::string cut;           ///< the text after the limit; empty when everything fits
  };
  /// `text` (UTF-8) as at most `limit` ids, end token included (T5TokenizerFast, truncation).
  Encoded encode(std::string_view text, int64_t limit) const;

  int64_t vocabulary_size() const;

 private:
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace faststar
