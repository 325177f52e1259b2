#include "core/config/yaml_document.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include "core/base/error.h"
#include "core/config/nearest_name.h"

namespace faststar {
namespace {

std::string read_text(const std::filesystem::path& path) {
  constexpr size_t kLargest = 1 << 20;
  std::ifstream stream(path, std::ios::binary);
  std::string text(kLargest + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || (stream.fail() && !stream.eof())) {
    fail(ErrorKind::usage, fmt::format("{}: cannot read: {}", path.string(), std::strerror(errno)));
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kLargest) {
    fail(ErrorKind::usage, fmt::format("{}: expected a configuration file, got more than 1 MiB", path.string()));
  }
  return text;
}

YAML::Node parse(const std::filesystem::path& path) {
  try {
    return YAML::Load(read_text(path));
  } catch (const YAML::Exception& error) {
    fail(ErrorKind::usage, fmt::format("{}:{}: not YAML: {}", path.string(), error.mark.line + 1, error.msg));
  }
}

}  // namespace

YamlDocument::YamlDocument(std::filesystem::path path) : path_(std::move(path)), root_(parse(path_)) {
  if (!root_.IsMap() && !root_.IsNull()) {
    fail(ErrorKind::usage,
         fmt::format("{}: expected sections (`generate:` and so on), got something else", path_.string()));
  }
}

std::string YamlDocument::where(const YAML::Node& node) const {
  return fmt::format("{}:{}", path_.string(), node.Mark().line + 1);
}

std::vector<YamlEntry> YamlDocument::entries(const YAML::Node& mapping, std::string_view name) const {
  if (mapping.IsNull()) return {};
  if (!mapping.IsMap()) {
    fail(ErrorKind::usage, fmt::format("{}: {}: expected `key: value` lines, got a value", where(mapping), name));
  }
  std::vector<YamlEntry> entries;
  std::set<std::string> seen;
  for (const auto& item : mapping) {
    if (!item.first.IsScalar()) {
      fail(ErrorKind::usage, fmt::format("{}: {}: expected a name as key", where(item.first), name));
    }
    entries.push_back({item.first.Scalar(), item.first, item.second});
    if (!seen.insert(entries.back().key).second) {
      fail(ErrorKind::usage, fmt::format("{}: {}: stands twice in {}", where(item.first), entries.back().key, name));
    }
  }
  return entries;
}

void YamlDocument::fail_unknown(const YamlEntry& entry, std::string_view section,
                                const std::vector<std::string>& known) const {
  const std::string dotted = section.empty() ? entry.key : fmt::format("{}.{}", section, entry.key);
  fail(ErrorKind::usage, fmt::format("{}: {}: unknown key", where(entry.key_node), dotted),
       fmt::format("the nearest known one is {}", nearest_name(entry.key, known)));
}

}  // namespace faststar
