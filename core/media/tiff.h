#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace faststar::picture_file {

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
