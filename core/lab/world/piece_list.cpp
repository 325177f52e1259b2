#include "core/lab/world/piece_list.h"

#include <bit>
#include <cstdint>

#include "core/base/sentencepiece.h"

namespace faststar {
namespace {

using protobuf::FieldReader;
using protobuf::Wire;

const std::string kOrigin = "the trained vocabulary";

// Field numbers of ModelProto and of its message SentencePiece.
constexpr uint32_t kPieces = 1;
constexpr uint32_t kText = 1, kScore = 2, kType = 3;

uint32_t little_endian32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

Piece parse_piece(std::string_view message) {
  Piece piece;
  for (FieldReader reader(message, kOrigin); !reader.done();) {
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
  for (FieldReader reader(model, kOrigin); !reader.done();) {
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
