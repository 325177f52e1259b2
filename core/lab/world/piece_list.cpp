#include "core/lab/world/piece_list.h"

#include <bit>
#include <cstdint>

#include "core/base/error.h"

namespace faststar {
namespace {

enum class Wire : uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// Field numbers of ModelProto and of its message SentencePiece.
constexpr uint32_t kPieces = 1;
constexpr uint32_t kText = 1, kScore = 2, kType = 3;

/// Reads protocol buffer fields one after the other.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }

  struct Field {
    uint32_t number = 0;
    Wire wire = Wire::varint;
    uint64_t integer = 0;      ///< of a varint
    std::string_view payload;  ///< of every other kind
    std::string_view all;      ///< the field as it stands in the file
  };

  Field next() {
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

 private:
  [[noreturn]] static void fail_damaged() { fail(ErrorKind::internal, "not a serialised SentencePiece model"); }

  std::string_view take(uint64_t count) {
    if (count > rest_.size()) fail_damaged();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1).front());
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail_damaged();
  }

  std::string_view rest_;
};

uint32_t little_endian32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

Piece parse_piece(std::string_view message) {
  Piece piece;
  for (FieldReader reader(message); !reader.done();) {
    const auto field = reader.next();
    if (field.number == kText) piece.text = field.payload;
    if (field.number == kScore && field.wire == Wire::fixed32) {
      piece.score = std::bit_cast<float>(little_endian32(field.payload));
    }
    if (field.number == kType) piece.type = static_cast<int>(field.integer);
  }
  return piece;
}

void write_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void write_tag(std::string& out, uint32_t number, Wire wire) {
  write_varint(out, uint64_t{number} << 3 | static_cast<uint64_t>(wire));
}

void write_bytes(std::string& out, uint32_t number, std::string_view bytes) {
  write_tag(out, number, Wire::bytes);
  write_varint(out, bytes.size());
  out += bytes;
}

std::string serialise_piece(const Piece& piece) {
  std::string out;
  write_bytes(out, kText, piece.text);
  write_tag(out, kScore, Wire::fixed32);
  const auto score = std::bit_cast<uint32_t>(piece.score);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(score >> (8 * i));
  write_tag(out, kType, Wire::varint);
  write_varint(out, static_cast<uint64_t>(piece.type));
  return out;
}

}  // namespace

PieceList PieceList::parse(std::string_view model) {
  PieceList list;
  for (FieldReader reader(model); !reader.done();) {
    const auto field = reader.next();
    if (field.number == kPieces) {
      list.pieces.push_back(parse_piece(field.payload));
    } else {
      list.other_fields += field.all;
    }
  }
  return list;
}

std::string PieceList::serialise() const {
  std::string out;
  for (const Piece& piece : pieces) write_bytes(out, kPieces, serialise_piece(piece));
  return out + other_fields;
}

}  // namespace faststar
