#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace faststar {

/// A piece of a SentencePiece model.
struct Piece {
  std::string text;  ///< UTF-8; U+2581 stands for the space before a word
  float score = 0;   ///< log probability
  int type = kNormal;

  static constexpr int kNormal = 1;  ///< neither control token nor unknown token
};

/// A SentencePiece model taken apart: its pieces, and the bytes of all else.
/// Source: sentencepiece_model.proto; the library's own reader of it is not part of its public headers.
struct PieceList {
  std::vector<Piece> pieces;
  std::string other_fields;

  /// Throws Error(internal) when `model` is not a serialised ModelProto.
  static PieceList parse(std::string_view model);
  std::string serialise() const;
};

}  // namespace faststar
