#pragma once
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// The YAML files of the configuration as trees with line numbers. Only core/config sees yaml-cpp.
namespace faststar {

/// One `key: value` of a mapping.
struct YamlEntry {
  std::string key;
  YAML::Node key_node;
  YAML::Node value;
};

class YamlDocument {
 public:
  /// Reads and parses `path`. Throws Error(usage) naming file and line when it cannot be read, is larger
  /// than 1 MiB, is not YAML or not a mapping.
  explicit YamlDocument(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  const YAML::Node& root() const { return root_; }

  /// "my.yaml:3": where `node` stands.
  std::string where(const YAML::Node& node) const;

  /// The entries of a mapping in file order; none for an empty section. `name` is what messages call it.
  /// Throws Error(usage) when it is no mapping, or a key is no text or stands twice.
  std::vector<YamlEntry> entries(const YAML::Node& mapping, std::string_view name) const;

  /// Throws Error(usage): an unknown key, and the nearest of `known`.
  [[noreturn]] void fail_unknown(const YamlEntry& entry, std::string_view section,
                                 const std::vector<std::string>& known) const;

 private:
  std::filesystem::path path_;
  YAML::Node root_;
};

}  // namespace faststar
