#include "core/media/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/media/picture_file.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// What a file is that cannot be read, and what to do.
struct OtherKind {
  std::string_view start;  ///< of the file; text in lower case, without leading blanks
  const char* name;
  const char* hint;
};

constexpr const char* kGiveItself = "give the picture or video itself";
constexpr std::array kTexts = {
    OtherKind{"version https://git-lfs", "a Git LFS pointer, not the file itself", "git lfs pull"},
    OtherKind{"#extm3u", "a playlist", kGiveItself},
    OtherKind{"[playlist]", "a playlist", kGiveItself},
    OtherKind{"[reference]", "a playlist", kGiveItself},
    OtherKind{"<asx", "a playlist", kGiveItself},
    OtherKind{"<?wpl", "a playlist", kGiveItself},
    OtherKind{"<smil", "a playlist", kGiveItself},
    OtherKind{"<playlist", "a playlist", kGiveItself},
    OtherKind{"<mpd", "a playlist", kGiveItself},
    OtherKind{"ffconcat version", "a playlist", kGiveItself},
    OtherKind{"v=0\no=", "the description of a stream (SDP)", kGiveItself},
    OtherKind{"v=0\r\no=", "the description of a stream (SDP)", kGiveItself},
    OtherKind{"<!doctype html", "a web page", kGiveItself},
    OtherKind{"<html", "a web page", kGiveItself},
};
constexpr const char* kConvert = "convert it to PNG or JPEG first";
constexpr const char* kUnpack = "unpack it first";
constexpr std::array kBinaries = {
    OtherKind{"%PDF-", "a PDF", "save the page as PNG or JPEG first"},
    OtherKind{"%!PS", "a PostScript file", "save the page as PNG or JPEG first"},
    OtherKind{"gimp xcf", "a GIMP project", "export it as PNG first"},
    OtherKind{"PK\x03\x04", "a ZIP archive", kUnpack},
    OtherKind{"\x1f\x8b", "a gzip archive", kUnpack},
    OtherKind{"Rar!\x1a", "a RAR archive", kUnpack},
    OtherKind{"7z\xbc\xaf\x27\x1c", "a 7z archive", kUnpack},
    OtherKind{"\xfd"
              "7zXZ",
              "an xz archive", kUnpack},
    OtherKind{"(\xb5/\xfd", "a zstd archive", kUnpack},
    OtherKind{"FUJIFILMCCD-RAW", "a raw photograph (RAF)", kConvert},
    OtherKind{"IIRO", "a raw photograph (ORF)", kConvert},
    OtherKind{std::string_view("IIU\0", 4), "a raw photograph (RW2)", kConvert},
    OtherKind{std::string_view("II+\0", 4), "a BigTIFF", kConvert},
    OtherKind{std::string_view("MM\0+", 4), "a BigTIFF", kConvert},
    OtherKind{std::string_view("8BPS\0\2", 6), "a large Photoshop document (PSB)", "export it as PNG first"},
};

std::string first_bytes(const fs::path& path) {
  std::string bytes(1024, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

/// Without a byte order mark, an XML declaration and blanks before it.
std::string lower_text(std::string_view bytes) {
  const auto skip_blanks = [&] { bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size())); };
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  skip_blanks();
  if (bytes.starts_with("<?xml")) {
    bytes.remove_prefix(std::min(bytes.find('>'), bytes.size() - 1) + 1);
    skip_blanks();
  }
  std::string text(bytes);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Photographs of phones and raw ones of cameras, in the container of MP4.
std::optional<OtherKind> photograph_kind(std::string_view bytes) {
  const auto brands = picture_file::brands(bytes);
  const auto has = [&](std::string_view brand) { return std::ranges::find(brands, brand) != brands.end(); };
  if (brands.empty() || has("avif") || has("avis")) return std::nullopt;
  if (has("crx ")) return OtherKind{"", "a raw photograph (CR3)", kConvert};
  const bool is_heic = has("heic") || has("heix") || has("heim") || has("heis") || has("mif1") || has("msf1");
  if (is_heic)
    return OtherKind{"", "a HEIC photograph", "convert it to JPEG or PNG first, for example with heif-convert"};
  return std::nullopt;
}

bool is_animated_webp(std::string_view bytes) {
  if (!picture_file::is_webp(bytes)) return false;
  const auto chunks = picture_file::webp_chunks(bytes);
  constexpr uint64_t kAnimation = 2;
  return !chunks.empty() && chunks[0].type == "VP8X" && (picture_file::big_endian(chunks[0].body, 1) & kAnimation) != 0;
}

/// True for text that is no picture: FFmpeg would draw some of it as a terminal does, and call the rest damaged.
bool is_plain_text(std::string_view bytes) {
  const auto is_control = [](unsigned char c) { return (c < ' ' && !std::isspace(c)) || c == 0x7f; };
  constexpr size_t kCutCharacter = 3;  // bytes of the last one that may be there
  const size_t valid = find_invalid_utf8(bytes).value_or(bytes.size());
  if (std::ranges::any_of(bytes, is_control) || valid + kCutCharacter < bytes.size()) return false;
  constexpr std::array kPictures = {"<svg", "/* xpm", "#define", "#?radiance", "#?rgbe", "yuv4mpeg2", "simple  ="};
  const std::string text = lower_text(bytes);
  const bool is_netpbm = text.size() > 1 && text[0] == 'p' && std::isgraph(static_cast<unsigned char>(text[1])) != 0 &&
                         (text.size() == 2 || std::isspace(static_cast<unsigned char>(text[2])) != 0);
  return !is_netpbm && std::ranges::none_of(kPictures, [&](const char* word) { return text.find(word) != text.npos; });
}

std::optional<OtherKind> other_kind(std::string_view bytes) {
  if (bytes.empty()) return OtherKind{"", "an empty file", kGiveItself};
  if (const auto photograph = photograph_kind(bytes)) return photograph;
  if (is_animated_webp(bytes)) return OtherKind{"", "an animated WebP", "save it as MP4, or one frame as PNG, first"};
  for (const OtherKind& kind : kBinaries) {
    if (bytes.starts_with(kind.start)) return kind;
  }
  const std::string text = lower_text(bytes);
  for (const OtherKind& kind : kTexts) {
    if (text.starts_with(kind.start)) return kind;
  }
  if (is_plain_text(bytes)) return OtherKind{"", "a text file", kGiveItself};
  return std::nullopt;
}

}  // namespace

void check_is_media_file(const fs::path& path) {
  const std::string what = fmt::format("{}: cannot read", path.string());
  std::error_code ignored;  // opening the file reports it
  const fs::file_status status = fs::status(path, ignored);
  if (!fs::exists(status)) return;
  if (fs::is_directory(status)) fail(ErrorKind::input, what + ": expected a file, got a folder");
  if (!fs::is_regular_file(status)) {
    fail(ErrorKind::input, fmt::format("{}: expected a file, got a {}", what, fs::is_fifo(status) ? "pipe" : "device"),
         "save it as a file first: it is read more than once");
  }
  if (const auto kind = other_kind(first_bytes(path))) {
    fail(ErrorKind::input, fmt::format("{}: this is {}", what, kind->name), kind->hint);
  }
}

}  // namespace faststar
