#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace faststar {

/// What a file of ours says about how it was made.
struct Provenance {
  std::string version;        ///< of faststar
  std::string command;        ///< "t2v", "i2v", ...
  std::string settings_json;  ///< an object; everything that remakes the file
  std::string run_json;       ///< an object; what the run was: machine, checkpoints, seconds. Empty: not told
};

/// One line of ASCII JSON: {"command": ..., "faststar": version, "run": {...}, "settings": {...}}.
/// Throws Error(internal) when one of the two is not a JSON object.
std::string to_comment(const Provenance& provenance);

/// The reverse; nothing when `comment` was not written by us.
std::optional<Provenance> parse_comment(const std::string& comment);

/// The comment stored in a video or picture; empty when it has none. Throws Error(input) when the file is
/// missing or is neither.
std::string read_comment(const std::filesystem::path& path);

/// What a video or picture says about how it was made; nothing when it is not ours. Throws as read_comment.
std::optional<Provenance> read_provenance(const std::filesystem::path& path);

}  // namespace faststar
