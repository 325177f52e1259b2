#include "core/base/sentencepiece.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/base/error.h"

namespace faststar::protobuf {

Field FieldReader::next() {
  const std::string_view start = rest_;
  const uint64_t tag = varint();
  Field field{.number = static_cast<uint32_t>(tag >> 3), .wire = static_cast<Wire>(tag & 7)};
  switch (field.wire) {
    case Wire::varint: field.integer = varint(); break;
    case Wire::fixed64: field.payload = take(8); break;
    case Wire::bytes: field.payload = take(varint()); break;
    case Wire::fixed32: field.payload = take(4); break;
    default: fail_damaged();
  }
  field.all = start.substr(0, start.size() - rest_.size());
  return field;
}

void FieldReader::fail_damaged() const {
  fail(ErrorKind::model, origin_ + ": expected a SentencePiece model, got something else");
}

std::string_view FieldReader::take(uint64_t count) {
  if (count > rest_.size()) fail_damaged();
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

uint64_t FieldReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(take(1).front());
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  fail_damaged();
}

}  // namespace faststar::protobuf

namespace faststar {
namespace {

// Field numbers of ModelProto, SentencePiece and NormalizerSpec in sentencepiece_model.proto.
constexpr uint32_t kPieces = 1, kNormalizer = 3, kDenormalizer = 5;
constexpr uint32_t kScore = 2;
constexpr uint32_t kCharsMap = 2;

/// A unit of a Darts trie: the label of the edge to it, the offset of its children, or the value of a leaf.
class DartsUnit {
 public:
  explicit DartsUnit(uint32_t bits) : bits_(bits) {}
  bool has_leaf() const { return (bits_ >> 8 & 1) != 0; }
  uint32_t value() const { return bits_ & 0x7fffffffu; }
  uint32_t label() const { return bits_ & 0x800000ffu; }  ///< of a leaf: no byte
  uint32_t offset() const { return bits_ >> 10 << ((bits_ & 0x200u) >> 6); }

 private:
  uint32_t bits_;
};

/// The map from characters to their normal forms: the trie's size, its units, and texts that end with a zero byte.
class CharsMap {
 public:
  explicit CharsMap(std::string_view bytes) {
    uint32_t trie_bytes = 0;
    if (bytes.size() < sizeof trie_bytes) return;
    std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
    bytes.remove_prefix(sizeof trie_bytes);
    if (trie_bytes == 0 || trie_bytes > bytes.size() || trie_bytes % sizeof(uint32_t) != 0) return;
    units_.resize(trie_bytes / sizeof(uint32_t));
    std::memcpy(units_.data(), bytes.data(), trie_bytes);
    texts_ = bytes.substr(trie_bytes);
  }

  /// True when no text leads the search out of the trie or to a position outside the texts.
  bool is_sound() const {
    if (units_.empty()) return false;
    std::vector<bool> seen(units_.size());
    std::vector<uint32_t> open = {0};
    while (!open.empty()) {
      const uint32_t position = open.back();
      open.pop_back();
      if (seen[position]) continue;
      seen[position] = true;
      const uint32_t children = position ^ unit(position).offset();
      // The search reads a unit before it compares its label: any byte may come next.
      if ((children | 0xffu) >= units_.size()) return false;
      if (unit(position).has_leaf() && unit(children).value() >= texts_.size()) return false;
      for (uint32_t byte = 0; byte < 256; ++byte) {
        if (unit(children ^ byte).label() == byte) open.push_back(children ^ byte);
      }
    }
    return true;
  }

 private:
  DartsUnit unit(uint32_t position) const { return DartsUnit(units_[position]); }

  std::vector<uint32_t> units_;
  std::string_view texts_;
};

void check_normalizer(std::string_view spec, const std::string& origin) {
  for (protobuf::FieldReader reader(spec, origin); !reader.done();) {
    const protobuf::Field field = reader.next();
    if (field.number != kCharsMap || field.payload.empty() || CharsMap(field.payload).is_sound()) continue;
    fail(ErrorKind::model, origin + ": damaged: its character map leads out of the file", "download or copy it again");
  }
}

void check_piece(std::string_view piece, const std::string& origin) {
  for (protobuf::FieldReader reader(piece, origin); !reader.done();) {
    const protobuf::Field field = reader.next();
    if (field.number != kScore || field.wire != protobuf::Wire::fixed32) continue;
    float score = 0;
    std::memcpy(&score, field.payload.data(), sizeof score);
    if (!std::isfinite(score)) fail(ErrorKind::model, origin + ": damaged: the score of a piece is no number");
  }
}

}  // namespace

void check_sentencepiece_model(std::string_view model, const std::string& origin) {
  for (protobuf::FieldReader reader(model, origin); !reader.done();) {
    const protobuf::Field field = reader.next();
    if (field.number == kPieces) check_piece(field.payload, origin);
    if (field.number == kNormalizer || field.number == kDenormalizer) check_normalizer(field.payload, origin);
  }
}

}  // namespace faststar
