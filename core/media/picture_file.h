#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What is written in the bytes of picture files and FFmpeg does not hand on. Damaged files are read as far as they
/// make sense.
namespace faststar::picture_file {

/// A part of a file with a name; both are views of the file.
struct Part {
  std::string_view type;
  std::string_view body;
};

bool is_png(std::string_view file);
bool is_jpeg(std::string_view file);
bool is_webp(std::string_view file);

/// The chunks of a PNG file, IEND included, without one that is cut off.
std::vector<Part> png_chunks(std::string_view file);
/// The segments of a JPEG file before its first scan; the type is the marker's second byte.
std::vector<Part> jpeg_segments(std::string_view file);
/// The chunks of a WebP file.
std::vector<Part> webp_chunks(std::string_view file);

/// EXIF orientation, 1 to 8 (TIFF 6.0, tag 274), of a JPEG, PNG, WebP, TIFF or AVIF file; 1 when it says nothing.
int orientation(std::string_view file);

/// The EXIF data of a JPEG, PNG or WebP file; all of a TIFF file; empty without.
std::string_view exif(std::string_view file);

/// The EXIF data that ImageMagick writes into a PNG's text called "Raw profile type exif".
std::string exif_in_text(std::string_view text);

/// True when JPEG data ends as it should. A baseline file may lack the mark of its end once all its components were
/// there: a progressive one could have had another scan.
bool is_whole_jpeg(std::string_view file);

/// The number of the largest picture in an icon file (.ico); -1 for other files.
int largest_icon(std::string_view file);

/// A PNG file without all chunks that a picture can be shown without, transparency kept.
std::string without_optional_chunks(std::string_view png);

/// The pictures in AVIF files. Source: ISO/IEC 23008-12 (HEIF) 6 and 9.
struct Avif {
  int orientation = 1;    ///< as above
  bool is_tiled = false;  ///< the picture is made of several
  bool is_transparent = false;
  std::string_view profile;  ///< ICC; empty without
};
/// Nothing when `file` is no AVIF picture.
std::optional<Avif> avif(std::string_view file);

/// The brands in the first box of an ISO base media file; empty for other files.
std::vector<std::string_view> brands(std::string_view file);

/// An unsigned number of `bytes` (at most 8), most significant byte first; 0 when `bytes` ends before.
uint64_t big_endian(std::string_view bytes, size_t count);
/// The same, least significant byte first.
uint64_t little_endian(std::string_view bytes, size_t count);
/// What follows `position`; empty when `bytes` ends before.
std::string_view from(std::string_view bytes, uint64_t position);

/// The directories of a TIFF file, or of EXIF data, which has the same structure. Source: TIFF 6.0, section 2.
class Tiff {
 public:
  explicit Tiff(std::string_view tiff) : bytes_(tiff), is_little_(tiff.starts_with("II")) {}

  static bool is_tiff(std::string_view file);

  /// The first value of `tag`, a byte or a whole number, in the first directory or the one at `directory`; nothing when
  /// it has none.
  std::optional<uint64_t> value(uint64_t tag) const;
  std::optional<uint64_t> value(uint64_t tag, uint64_t directory) const;
  /// A text of at most three letters.
  std::string_view short_text(uint64_t tag, uint64_t directory) const;

 private:
  uint64_t number(std::string_view at, size_t count) const;
  /// The twelve bytes of `tag`; empty when there are none.
  std::string_view entry(uint64_t tag, uint64_t directory) const;
  uint64_t first_directory() const;

  std::string_view bytes_;
  bool is_little_;
};

/// What is in a TIFF file that FFmpeg would decode to a black or scrambled picture, or to a camera's small preview;
/// nullptr when its first picture can be read, and for other files.
const char* unreadable_tiff(std::string_view file);

}  // namespace faststar::picture_file
