#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace faststar {

/// How a file was made, as it says itself.
struct Provenance {
  std::string version;        ///< of faststar
  std::string command;        ///< "t2v", "i2v", ...
  std::string settings_json;  ///< an object; all settings that are needed to make the file again
  std::string run_json;       ///< an object about the run: machine, checkpoints, seconds; may be empty
};

/// One line of ASCII JSON: {"command": ..., "faststar": version, "run": {...}, "settings": {...}}.
std::string to_comment(const Provenance& provenance);

/// The reverse; nothing when faststar did not write `comment`.
std::optional<Provenance> parse_comment(const std::string& comment);

/// The comment stored in a video or picture; empty when it has none. Throws Error(input) when the file is
/// missing or is neither.
std::string read_comment(const std::filesystem::path& path);

/// How a video or picture was made; nothing when faststar did not make it. Throws as read_comment.
std::optional<Provenance> read_provenance(const std::filesystem::path& path);

/// The bytes of a PNG or JPEG file with a comment added, which libav's encoders do not write: an iTXt chunk with
/// keyword "comment" after the PNG header, COM segments at the start of a JPEG. `image` must be one of the two.
std::string with_comment(std::string image, std::string_view comment);

/// The comment in the bytes of a PNG or JPEG file; empty when there is none, or for any other file.
std::string comment_of(std::string_view image);

}  // namespace faststar
