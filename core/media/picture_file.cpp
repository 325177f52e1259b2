#include "core/media/picture_file.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <set>

namespace faststar::picture_file {
namespace {

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpegStart = "\xff\xd8";

/// The boxes of an ISO base media file, or those inside one of them.
std::vector<Part> boxes(std::string_view bytes) {
  std::vector<Part> parts;
  while (bytes.size() >= 8) {
    uint64_t size = big_endian(bytes, 4), header = 8;
    if (size == 1) {
      size = big_endian(from(bytes, 8), 8);
      header = 16;
    }
    if (size == 0) size = bytes.size();
    if (size < header || size > bytes.size()) break;
    parts.push_back({bytes.substr(4, 4), bytes.substr(header, size - header)});
    bytes.remove_prefix(size);
  }
  return parts;
}

/// The body of the first box of this type; empty without.
std::string_view box(std::string_view bytes, std::string_view type) {
  const auto parts = boxes(bytes);
  const auto found = std::ranges::find(parts, type, &Part::type);
  return found == parts.end() ? std::string_view{} : found->body;
}

/// Reads numbers one after another; zeros after the end.
struct Numbers {
  uint64_t next(size_t count) {
    const uint64_t value = big_endian(bytes, count);
    bytes = from(bytes, count);
    return value;
  }
  std::string_view bytes;
};

constexpr size_t kFullBox = 4;  // version and flags before the body

uint8_t version_of(std::string_view full_box) { return static_cast<uint8_t>(big_endian(full_box, 1)); }

uint64_t primary_item(std::string_view meta) {
  const std::string_view pitm = box(meta, "pitm");
  return big_endian(from(pitm, kFullBox), version_of(pitm) == 0 ? 2 : 4);
}

/// The four letters that say what an item is.
std::string_view item_type(std::string_view meta, uint64_t item) {
  const std::string_view iinf = box(meta, "iinf");
  for (const Part& infe : boxes(from(iinf, kFullBox + (version_of(iinf) == 0 ? 2 : 4)))) {
    const size_t id_size = version_of(infe.body) < 3 ? 2 : 4;
    if (big_endian(from(infe.body, kFullBox), id_size) == item)
      return from(infe.body, kFullBox + id_size + 2).substr(0, 4);
  }
  return {};
}

/// The properties of an item in their order.
std::vector<Part> item_properties(std::string_view iprp, uint64_t item) {
  const auto all = boxes(box(iprp, "ipco"));
  const std::string_view ipma = box(iprp, "ipma");
  const size_t id_size = version_of(ipma) == 0 ? 2 : 4;
  const bool wide = (big_endian(from(ipma, 3), 1) & 1) != 0;
  Numbers numbers{from(ipma, kFullBox)};
  std::vector<Part> properties;
  for (uint64_t entries = numbers.next(4); entries > 0 && !numbers.bytes.empty(); --entries) {
    const bool is_own = numbers.next(id_size) == item;
    for (uint64_t i = numbers.next(1); i > 0; --i) {
      const uint64_t index = numbers.next(wide ? 2 : 1) & (wide ? 0x7fff : 0x7f);
      if (is_own && index > 0 && index <= all.size()) properties.push_back(all[index - 1]);
    }
  }
  return properties;
}

/// irot turns to the left, imir then swaps top and bottom (0) or left and right (1).
int turned_orientation(const std::vector<Part>& properties) {
  uint64_t quarters = 0, mirror = 2;
  for (const Part& property : properties) {
    const uint64_t value = big_endian(property.body, 1);
    // Mirroring first and turning to the left is turning to the right and mirroring.
    if (property.type == "irot") quarters = mirror == 2 ? value & 3 : (4 - (value & 3)) & 3;
    if (property.type == "imir") mirror = value & 1;
  }
  constexpr int kOrientations[3][4] = {{4, 5, 2, 7}, {2, 7, 4, 5}, {1, 8, 3, 6}};
  return kOrientations[mirror][quarters];
}

/// True when one of a file's items is the transparency of another.
bool has_alpha_item(std::string_view ipco) {
  return std::ranges::any_of(boxes(ipco), [](const Part& property) {
    const std::string_view kind = from(property.body, kFullBox);
    return property.type == "auxC" && (kind.starts_with("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha") ||
                                       kind.starts_with("urn:mpeg:hevc:2015:auxid:1"));
  });
}

}  // namespace

std::string_view from(std::string_view bytes, uint64_t position) {
  return position < bytes.size() ? bytes.substr(position) : std::string_view{};
}

uint64_t little_endian(std::string_view bytes, size_t count) {
  uint64_t value = 0;
  if (bytes.size() < count) return 0;
  while (count > 0) value = value << 8 | static_cast<uint8_t>(bytes[--count]);
  return value;
}

uint64_t big_endian(std::string_view bytes, size_t count) {
  uint64_t value = 0;
  if (bytes.size() < count) return 0;
  for (const char byte : bytes.substr(0, count)) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

bool is_png(std::string_view file) { return file.starts_with(kPngSignature); }
bool is_jpeg(std::string_view file) { return file.starts_with(kJpegStart); }
bool is_webp(std::string_view file) { return file.starts_with("RIFF") && from(file, 8).starts_with("WEBP"); }

std::vector<Part> png_chunks(std::string_view file) {
  std::vector<Part> chunks;
  for (size_t at = kPngSignature.size(); at + 12 <= file.size();) {
    const uint64_t size = big_endian(file.substr(at), 4);
    if (size > file.size() - at - 12) break;
    chunks.push_back({file.substr(at + 4, 4), file.substr(at + 8, size)});
    at += size + 12;
  }
  return chunks;
}

std::vector<Part> jpeg_segments(std::string_view file) {
  std::vector<Part> segments;
  for (size_t at = kJpegStart.size(); at + 4 <= file.size() && file[at] == '\xff';) {
    if (file[at + 1] == '\xff') {  // a filler
      ++at;
      continue;
    }
    const uint64_t size = big_endian(file.substr(at + 2), 2);
    if (file[at + 1] == '\xda' || size < 2 || size > file.size() - at - 2) break;
    segments.push_back({file.substr(at + 1, 1), file.substr(at + 4, size - 2)});
    at += size + 2;
  }
  return segments;
}

std::vector<Part> webp_chunks(std::string_view file) {
  std::vector<Part> chunks;
  for (uint64_t at = 12; at + 8 <= file.size();) {
    const uint64_t size = little_endian(file.substr(at + 4), 4);
    chunks.push_back({file.substr(at, 4), from(file, at + 8).substr(0, size)});
    at += 8 + size + size % 2;
  }
  return chunks;
}

std::string_view exif(std::string_view file) {
  constexpr std::string_view kHeader("Exif\0\0", 6);
  if (Tiff::is_tiff(file)) return file;
  std::vector<Part> parts;
  std::string_view type;
  if (is_png(file)) {
    parts = png_chunks(file);
    type = "eXIf";
  } else if (is_webp(file)) {
    parts = webp_chunks(file);
    type = "EXIF";
  } else if (is_jpeg(file)) {
    parts = jpeg_segments(file);
    type = "\xe1";
  }
  for (Part part : parts) {
    const bool has_header = part.body.starts_with(kHeader);
    if (part.type != type || (is_jpeg(file) && !has_header)) continue;
    if (has_header) part.body.remove_prefix(kHeader.size());
    if (Tiff::is_tiff(part.body)) return part.body;
  }
  return {};
}

int orientation(std::string_view file) {
  if (const auto picture = avif(file)) return picture->orientation;
  constexpr uint64_t kOrientation = 274;
  const uint64_t value = Tiff(exif(file)).value(kOrientation).value_or(1);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

std::string exif_in_text(std::string_view text) {
  // "\nexif\n      28\n" and hexadecimal digits in lines.
  const size_t name = text.find_first_not_of('\n');
  const size_t count = text.find('\n', std::min(name, text.size()));
  const size_t digits = text.find('\n', count == text.npos ? count : count + 1);
  if (digits == text.npos) return {};
  std::string bytes;
  int first = -1;
  for (const char digit : text.substr(digits)) {
    if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) continue;
    const int value = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
    if (first >= 0) bytes += static_cast<char>(first << 4 | value);
    first = first >= 0 ? -1 : value;
  }
  constexpr std::string_view kHeader("Exif\0\0", 6);
  return bytes.starts_with(kHeader) ? bytes.substr(kHeader.size()) : bytes;
}

bool is_whole_jpeg(std::string_view file) {
  uint64_t components = 0;
  bool is_sequential = false;
  std::set<char> shown;
  for (size_t at = kJpegStart.size(); at + 2 <= file.size();) {
    const auto marker = static_cast<uint8_t>(file[at + 1]);
    if (file[at] != '\xff' || marker < 0xc0 || marker == 0xff || (marker >= 0xd0 && marker <= 0xd7)) {
      ++at;  // compressed data
      continue;
    }
    if (marker == 0xd9) return true;
    const std::string_view segment = from(file, at + 4);
    const bool is_frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (is_frame) {
      is_sequential = marker <= 0xc1 || marker == 0xc9;
      components = big_endian(from(segment, 5), 1);
    }
    if (marker == 0xda) {
      for (uint64_t i = 0; i < big_endian(segment, 1) && 2 + 2 * i <= segment.size(); ++i) {
        shown.insert(segment[1 + 2 * i]);
      }
    }
    at += 2 + std::max<uint64_t>(big_endian(from(file, at + 2), 2), 2);
  }
  return is_sequential && shown.size() >= components;
}

int largest_icon(std::string_view file) {
  if (!file.starts_with(std::string_view("\0\0\1\0", 4))) return -1;
  constexpr size_t kHeader = 6, kEntry = 16;
  const uint64_t count = little_endian(from(file, 4), 2);
  const auto side = [](char byte) { return byte == 0 ? 256 : static_cast<int>(static_cast<uint8_t>(byte)); };
  int best = -1, most_pixels = 0;
  for (uint64_t i = 0; i < count && kHeader + (i + 1) * kEntry <= file.size(); ++i) {
    const std::string_view entry = file.substr(kHeader + i * kEntry, kEntry);
    const int pixels = side(entry[0]) * side(entry[1]);
    if (pixels <= most_pixels) continue;
    best = static_cast<int>(i);
    most_pixels = pixels;
  }
  return best;
}

std::string without_optional_chunks(std::string_view png) {
  std::string kept(kPngSignature);
  for (const Part& chunk : png_chunks(png)) {
    const bool is_critical = (chunk.type[0] & 0x20) == 0;
    if (!is_critical && chunk.type != "tRNS") continue;
    kept.append(chunk.body.data() - 8, chunk.body.size() + 12);  // with its length, name and check sum
  }
  return kept;
}

std::vector<std::string_view> brands(std::string_view file) {
  std::vector<std::string_view> found;
  if (from(file, 4).substr(0, 4) != "ftyp") return found;
  const std::string_view body = file.substr(8, std::max<uint64_t>(big_endian(file, 4), 8) - 8);
  for (size_t at = 0; at + 4 <= body.size(); at += 4) {
    if (at != 4) found.push_back(body.substr(at, 4));  // the second is a version
  }
  return found;
}

std::optional<Avif> avif(std::string_view file) {
  const auto found = brands(file);
  if (found.empty() || found[0] == "avis" || std::ranges::find(found, "avif") == found.end()) return std::nullopt;
  const std::string_view meta = from(box(file, "meta"), kFullBox);
  const uint64_t item = primary_item(meta);
  const auto properties = item_properties(box(meta, "iprp"), item);
  Avif picture{.orientation = turned_orientation(properties),
               .is_tiled = item_type(meta, item) == "grid",
               .is_transparent = has_alpha_item(box(box(meta, "iprp"), "ipco"))};
  for (const Part& property : properties) {
    const bool is_profile = property.body.starts_with("prof") || property.body.starts_with("rICC");
    if (property.type == "colr" && is_profile) picture.profile = property.body.substr(4);
  }
  return picture;
}

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
