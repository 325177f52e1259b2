#pragma once
#include <span>
#include <string>

namespace faststar {

/// Trains a T5 vocabulary with the SentencePiece library: a unigram model of `pieces` pieces (pad 0, end 1,
/// unknown 2), deaf to case. Every one of `words` (lower case) becomes a piece of its own, in place of the least
/// likely ones; every printable ASCII character is a piece too, so that any English text can be spelled.
/// Returns the bytes of a spiece.model; equal input gives equal bytes. Throws Error(usage) when `pieces` are too
/// few for the words and characters or too many for `texts`.
std::string train_vocabulary(std::span<const std::string> texts, std::span<const std::string> words, int pieces);

}  // namespace faststar
