#pragma once
#include <optional>
#include <string>

#include "core/pipeline/batch/manifest.h"

namespace faststar {

/// A record as one line of JSON, with its line end.
std::string to_line(const ManifestRecord& record);

/// What to_line wrote; nothing for other text.
std::optional<ManifestRecord> parse_line(const std::string& line);

}  // namespace faststar
