#include "core/config/yaml_document.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include "core/base/error.h"

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
      fail(ErrorKind::usage, fmt::format("{}: {}: duplicate key in {}", where(item.first), entries.back().key, name));
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

std::string quoted_yaml(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string node_text(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsScalar()) return node.Tag() == "!" ? quoted_yaml(node.Scalar()) : node.Scalar();
  return node.IsSequence() ? "a list" : "a section";
}

template <typename Number>
void read_list(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<Number>& member) {
  std::vector<Number> values;
  if (!node.IsSequence()) fail_value(origin, expected_text(field, member), node_text(node));
  for (const YAML::Node& item : node) read_value(item, field, origin, values.emplace_back());
  member = std::move(values);
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<int>& member) {
  read_list(node, field, origin, member);
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::array<int64_t, 5>& member) {
  std::vector<int> values;
  read_list(node, field, origin, values);
  if (values.size() != member.size()) {
    fail_value(origin, fmt::format("{} numbers", member.size()), std::to_string(values.size()));
  }
  std::copy(values.begin(), values.end(), member.begin());
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, std::vector<double>& member) {
  if (!node.IsScalar()) return read_list(node, field, origin, member);
  member.resize(1);
  read_value(node, field, origin, member.front());
}

void read_value(const YAML::Node& node, const Field& field, const Origin& origin, ReducedScales& member) {
  if (node.IsScalar()) {
    if (!parse_value(node.Scalar(), field, member)) fail_value(origin, expected_text(field, member), node_text(node));
  } else {
    read_list(node, Field{.name = field.name, .range = {0, 1000}}, origin, member.listed);
  }
}

void fail_twice(const Origin& origin, const Field& field) {
  fail(ErrorKind::usage, fmt::format("{}: duplicate key", origin.text),
       fmt::format("{} is an earlier name of {}", field.old_name, field.name));
}

}  // namespace faststar
