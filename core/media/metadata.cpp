#include "core/media/metadata.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/media/ffmpeg.h"
#include "core/media/image_comment.h"

namespace faststar {
namespace {

using nlohmann::json;

bool starts_as_picture(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string start(8, '\0');
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  return stream && is_png_or_jpeg(start);
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  if (!stream) fail(ErrorKind::input, fmt::format("{}: cannot read: {}", path.string(), std::strerror(errno)));
  return std::move(bytes).str();
}

/// `text` as an object. Throws Error(internal).
json object_of(const std::string& text, const char* what) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object()) fail(ErrorKind::internal, fmt::format("{} for the comment: expected a JSON object", what));
  return object;
}

}  // namespace

std::string to_comment(const Provenance& provenance) {
  json comment = {{"faststar", provenance.version},
                  {"command", provenance.command},
                  {"settings", object_of(provenance.settings_json, "settings")}};
  if (!provenance.run_json.empty()) comment["run"] = object_of(provenance.run_json, "run");
  constexpr int kOneLine = -1;
  constexpr bool kAscii = true;  // readers of comments guess at encodings
  return comment.dump(kOneLine, ' ', kAscii);
}

std::optional<Provenance> parse_comment(const std::string& comment) {
  const json parsed = json::parse(comment, nullptr, false);
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
  if (starts_as_picture(path)) return comment_of(read_bytes(path));
  return ffmpeg::dictionary_value(ffmpeg::open_input(path)->metadata, "comment");
}

std::optional<Provenance> read_provenance(const std::filesystem::path& path) {
  return parse_comment(read_comment(path));
}

}  // namespace faststar
