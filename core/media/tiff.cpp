#include "core/media/tiff.h"

#include "core/media/picture_file.h"

namespace faststar::picture_file {

bool Tiff::is_tiff(std::string_view file) {
  return file.starts_with(std::string_view("II*\0", 4)) || file.starts_with(std::string_view("MM\0*", 4));
}

uint64_t Tiff::number(std::string_view at, size_t count) const {
  return is_little_ ? little_endian(at, count) : big_endian(at, count);
}

uint64_t Tiff::first_directory() const { return number(from(bytes_, 4), 4); }

std::string_view Tiff::entry(uint64_t tag, uint64_t directory) const {
  constexpr size_t kEntry = 12;
  const std::string_view all = from(bytes_, directory);
  const uint64_t entries = number(all, 2);
  for (uint64_t i = 0; i < entries; ++i) {
    const std::string_view entry = from(all, 2 + kEntry * i).substr(0, kEntry);
    if (entry.size() < kEntry) break;
    if (number(entry, 2) == tag) return entry;
  }
  return {};
}

std::optional<uint64_t> Tiff::value(uint64_t tag) const { return value(tag, first_directory()); }

std::optional<uint64_t> Tiff::value(uint64_t tag, uint64_t directory) const {
  const std::string_view found = entry(tag, directory);
  if (found.empty()) return std::nullopt;
  const uint64_t type = number(found.substr(2), 2);
  constexpr uint64_t kByte = 1, kShort = 3;
  return number(found.substr(8), type == kByte ? 1 : type == kShort ? 2 : 4);
}

std::string_view Tiff::short_text(uint64_t tag, uint64_t directory) const {
  constexpr uint64_t kText = 2, kLongest = 4;  // with its end; longer ones are elsewhere
  const std::string_view found = entry(tag, directory);
  if (found.empty() || number(found.substr(2), 2) != kText || number(found.substr(4), 4) > kLongest) return {};
  const std::string_view text = found.substr(8);
  return text.substr(0, text.find('\0'));
}

const char* unreadable_tiff(std::string_view file) {
  if (!Tiff::is_tiff(file)) return nullptr;
  const Tiff tiff(file);
  constexpr uint64_t kKind = 254, kCompression = 259, kTileWidth = 322;
  constexpr uint64_t kPreview = 1, kOldJpeg = 6, kJpeg = 7, kLossyRaw = 34892;
  if ((tiff.value(kKind).value_or(0) & kPreview) != 0) return "a raw photograph, or a TIFF that begins with a preview";
  const uint64_t compression = tiff.value(kCompression).value_or(1);
  if (compression == kOldJpeg || compression == kJpeg || compression == kLossyRaw) return "a TIFF with JPEG inside";
  if (tiff.value(kTileWidth)) return "a TIFF made of tiles";
  return nullptr;
}

}  // namespace faststar::picture_file
