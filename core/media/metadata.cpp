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

bool is_picture(const std::filesystem::path& path) {
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

}  // namespace

std::string to_comment(const Provenance& provenance) {
  const json settings = json::parse(provenance.settings_json, nullptr, false);
  if (!settings.is_object()) fail(ErrorKind::internal, "settings for the comment: expected a JSON object");
  const json comment = {{"faststar", provenance.version}, {"command", provenance.command}, {"settings", settings}};
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
  return Provenance{version->get<std::string>(), command->get<std::string>(), settings->dump()};
}

std::string read_comment(const std::filesystem::path& path) {
  if (is_picture(path)) return comment_of(read_bytes(path));
  return ffmpeg::dictionary_value(ffmpeg::open_input(path)->metadata, "comment");
}

}  // namespace faststar
