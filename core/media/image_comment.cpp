// Comments in PNG and JPEG files, which libav's encoders do not write.
#include "core/media/image_comment.h"

extern "C" {
#include <libavutil/crc.h>
}

#include <algorithm>
#include <cstdint>

namespace faststar {
namespace {

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpegStart = "\xff\xd8";
constexpr size_t kPngHeaderEnd = 8 + 25;  // signature, IHDR chunk
// iTXt: keyword, 0, not compressed, method 0, no language, no translated keyword (PNG specification 11.3.3.4).
constexpr std::string_view kPngKeyword{"comment\0\0\0\0\0", 12};
constexpr size_t kMaxInSegment = 65533;

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

std::string big_endian(uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}

uint32_t png_crc(std::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), ~0u, data, bytes.size());
}

std::string png_chunk(std::string_view comment) {
  const std::string body = std::string("iTXt").append(kPngKeyword).append(comment);
  return big_endian(static_cast<uint32_t>(body.size() - 4), 4) + body + big_endian(png_crc(body), 4);
}

// A longer comment than one segment holds continues in the next.
std::string jpeg_segments(std::string_view comment) {
  std::string segments;
  for (size_t at = 0; at < comment.size(); at += kMaxInSegment) {
    const std::string_view part = comment.substr(at, kMaxInSegment);
    segments.append("\xff\xfe").append(big_endian(static_cast<uint32_t>(part.size() + 2), 2)).append(part);
  }
  return segments;
}

std::string png_comment(std::string_view image) {
  for (size_t at = kPngSignature.size(); at + 12 <= image.size();) {
    const size_t size = big_endian(image.substr(at, 4));
    const std::string_view type = image.substr(at + 4, 4);
    if (type == "IDAT" || size > image.size() - at - 12) break;
    const std::string_view body = image.substr(at + 8, size);
    if (type == "iTXt" && body.starts_with(kPngKeyword)) return std::string(body.substr(kPngKeyword.size()));
    at += size + 12;
  }
  return {};
}

std::string jpeg_comment(std::string_view image) {
  std::string comment;
  for (size_t at = kJpegStart.size(); at + 4 <= image.size() && image[at] == '\xff';) {
    const char marker = image[at + 1];
    const size_t size = big_endian(image.substr(at + 2, 2));
    if (marker == '\xda' || size < 2 || size > image.size() - at - 2) break;
    if (marker == '\xfe') comment.append(image.substr(at + 4, size - 2));
    at += size + 2;
  }
  return comment;
}

}  // namespace

bool is_png_or_jpeg(std::string_view image) {
  return image.starts_with(kPngSignature) || image.starts_with(kJpegStart);
}

std::string with_comment(std::string image, std::string_view comment) {
  if (image.starts_with(kPngSignature)) return image.insert(kPngHeaderEnd, png_chunk(comment));
  return image.insert(kJpegStart.size(), jpeg_segments(comment));
}

std::string comment_of(std::string_view image) {
  if (image.starts_with(kPngSignature)) return png_comment(image);
  if (image.starts_with(kJpegStart)) return jpeg_comment(image);
  return {};
}

}  // namespace faststar
