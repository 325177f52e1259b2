#pragma once
#include <cstdint>
#include <string>
#include <string_view>

/// The files of SentencePiece, which are protobuf messages.
namespace faststar::protobuf {

/// How a field is stored. Groups, which nobody writes any more, are refused.
enum class Wire : uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Wire wire = Wire::varint;
  uint64_t integer = 0;      ///< of a varint
  std::string_view payload;  ///< of every other kind
  std::string_view all;      ///< the field as it stands in the file
};

/// Reads the fields of a message one after the other. Throws Error(model) naming `origin` when it is damaged. Both
/// arguments must outlive it. Source: protobuf.dev/programming-guides/encoding.
class FieldReader {
 public:
  FieldReader(std::string_view bytes, const std::string& origin) : rest_(bytes), origin_(origin) {}

  bool done() const { return rest_.empty(); }
  Field next();

 private:
  [[noreturn]] void fail_damaged() const;
  std::string_view take(uint64_t count);
  uint64_t varint();

  std::string_view rest_;
  const std::string& origin_;
};

}  // namespace faststar::protobuf

namespace faststar {

/// Throws Error(model) naming `origin` unless the SentencePiece library can work with the serialised `model`: it trusts
/// the character map (a trie of positions, and the texts that they name) and reads wherever that leads.
/// Source: SentencePiece 0.1.97, src/normalizer.cc, and Darts-clone 0.32, darts.h.
void check_sentencepiece_model(std::string_view model, const std::string& origin);

}  // namespace faststar
