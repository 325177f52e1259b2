#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/config/settings.h"

namespace faststar {

class YamlDocument;
struct YamlEntry;

/// Reads a key that is not in Config: (section, or "" for the top level, entry) -> false when it is unknown.
using OtherKeys = std::function<bool(const std::string& section, const YamlEntry& entry)>;

/// Applies the sections of `document`; `source` is recorded as their origin. Throws Error(usage) naming file, line and
/// key for unknown and repeated keys (with the nearest known one), wrong types and values out of range.
void apply_yaml(const YamlDocument& document, Source source, const OtherKeys& other_keys, Settings& settings);

/// Every setting as YAML that apply_yaml reads back to the same values; unset optionals are left out.
/// `base` is printed as `base:` unless empty.
std::string config_yaml(const Config& config, const std::string& base);

/// Every setting by section and key, as metadata and --json record them; unset optionals are left out. Paths are bytes:
/// dump() with nlohmann::json::error_handler_t::replace.
nlohmann::ordered_json config_json(const Config& config);

}  // namespace faststar
