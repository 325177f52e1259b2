#include "core/base/protobuf.h"

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
