#include "core/media/metadata.h"

extern "C" {
#include <libavutil/crc.h>
}

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/json.h"
#include "core/media/ffmpeg.h"
#include "core/media/file_kind.h"
#include "core/media/picture_file.h"

namespace faststar {
namespace {

using nlohmann::json;

constexpr size_t kPngHeaderEnd = 8 + 25;  // signature, IHDR chunk
constexpr size_t kJpegStart = 2;          // mark of its start
// iTXt: keyword, 0, not compressed, method 0, no language, no translated keyword (PNG specification 11.3.3.4).
constexpr std::string_view kPngKeyword{"comment\0\0\0\0\0", 12};
constexpr size_t kMaxInSegment = 65533;

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

// A comment that is longer than a segment continues in the next one.
std::string jpeg_segments(std::string_view comment) {
  std::string segments;
  for (size_t at = 0; at < comment.size(); at += kMaxInSegment) {
    const std::string_view part = comment.substr(at, kMaxInSegment);
    segments.append("\xff\xfe").append(big_endian(static_cast<uint32_t>(part.size() + 2), 2)).append(part);
  }
  return segments;
}

std::string png_comment(std::string_view image) {
  for (const auto& [type, body] : picture_file::png_chunks(image)) {
    if (type == "IDAT") break;
    if (type == "iTXt" && body.starts_with(kPngKeyword)) return std::string(body.substr(kPngKeyword.size()));
  }
  return {};
}

std::string jpeg_comment(std::string_view image) {
  std::string comment;
  for (const auto& [marker, body] : picture_file::jpeg_segments(image)) {
    if (marker == "\xfe") comment.append(body);
  }
  return comment;
}

/// The start of a PNG or JPEG file, where comments stand; nothing for another file.
std::optional<std::string> image_start(const std::filesystem::path& path) {
  constexpr size_t kMaxStart = 4 << 20;  // our comments take some kB, a colour profile before them some hundred
  check_is_media_file(path);
  std::ifstream stream(path, std::ios::binary);
  std::string start(kMaxStart, '\0');
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<size_t>(stream.gcount()));
  if (!picture_file::is_png(start) && !picture_file::is_jpeg(start)) return std::nullopt;
  return start;
}

}  // namespace

std::string to_comment(const Provenance& provenance) {
  json comment = {{"faststar", provenance.version},
                  {"command", provenance.command},
                  {"settings", json::parse(provenance.settings_json)}};
  if (!provenance.run_json.empty()) comment["run"] = json::parse(provenance.run_json);
  constexpr int kOneLine = -1;
  constexpr bool kAscii = true;  // readers of comments guess at encodings
  return comment.dump(kOneLine, ' ', kAscii);
}

std::optional<Provenance> parse_comment(const std::string& comment) {
  const json parsed = parse_json(comment);
  if (!parsed.is_object()) return std::nullopt;
  const auto version = parsed.find("faststar"), command = parsed.find("command"), settings = parsed.find("settings");
  if (version == parsed.end() || command == parsed.end() || settings == parsed.end()) return std::nullopt;
  if (!version->is_string() || !command->is_string() || !settings->is_object()) return std::nullopt;
  const auto run = parsed.find("run");
  return Provenance{.version = version->get<std::string>(),
                    .command = command->get<std::string>(),
                    .settings_json = settings->dump(),
                    .run_json = run != parsed.end() && run->is_object() ? run->dump() : ""};
}

std::string read_comment(const std::filesystem::path& path) {
  if (const auto image = image_start(path)) return comment_of(*image);
  return ffmpeg::dictionary_value(ffmpeg::open_input(path)->metadata, "comment");
}

std::optional<Provenance> read_provenance(const std::filesystem::path& path) {
  return parse_comment(read_comment(path));
}

std::string with_comment(std::string image, std::string_view comment) {
  if (picture_file::is_png(image)) return image.insert(kPngHeaderEnd, png_chunk(comment));
  return image.insert(kJpegStart, jpeg_segments(comment));
}

std::string comment_of(std::string_view image) {
  if (picture_file::is_png(image)) return png_comment(image);
  if (picture_file::is_jpeg(image)) return jpeg_comment(image);
  return {};
}

}  // namespace faststar
