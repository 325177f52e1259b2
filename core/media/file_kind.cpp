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
constexpr std::array kBinaries = {
    OtherKind{"%PDF-", "a PDF", "save the page as PNG or JPEG first"},
    OtherKind{"%!PS", "a PostScript file", "save the page as PNG or JPEG first"},
    OtherKind{"gimp xcf", "a GIMP project", "export it as PNG first"},
    OtherKind{"PK\x03\x04", "a ZIP archive", "unpack it first"},
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
  if (is_heic) return OtherKind{"", "a HEIC photograph", "convert it to JPEG or PNG first, for example with heif-convert"};
  return std::nullopt;
}

bool is_animated_webp(std::string_view bytes) {
  if (!picture_file::is_webp(bytes)) return false;
  const auto chunks = picture_file::webp_chunks(bytes);
  constexpr uint64_t kAnimation = 2;
  return !chunks.empty() && chunks[0].type == "VP8X" && (picture_file::big_endian(chunks[0].body, 1) & kAnimation) != 0;
}

std::optional<OtherKind> other_kind(std::string_view bytes) {
  if (const auto photograph = photograph_kind(bytes)) return photograph;
  if (is_animated_webp(bytes)) return OtherKind{"", "an animated WebP", "save it as MP4, or one frame as PNG, first"};
  for (const OtherKind& kind : kBinaries) {
    if (bytes.starts_with(kind.start)) return kind;
  }
  const std::string text = lower_text(bytes);
  for (const OtherKind& kind : kTexts) {
    if (text.starts_with(kind.start)) return kind;
  }
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
