#pragma once
#include <string>
#include <string_view>

namespace faststar {

/// Throws Error(model) naming `origin` unless the SentencePiece library can work with the serialised `model`: it trusts
/// the character map (a trie of positions, and the texts that they name) and reads wherever that leads.
/// Source: SentencePiece 0.1.97, src/normalizer.cc, and Darts-clone 0.32, darts.h.
void check_sentencepiece_model(std::string_view model, const std::string& origin);

}  // namespace faststar
