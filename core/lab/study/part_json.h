#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/pass_parts.h"

namespace faststar {

/// Times by scale, part by part: {"linear": [ms of scale 0, ...], ...}.
nlohmann::ordered_json parts_json(const std::vector<PartTimes>& by_scale);

/// The times that parts_json wrote. Throws nlohmann::json::exception for anything else.
std::vector<PartTimes> parse_parts(const nlohmann::ordered_json& json);

}  // namespace faststar
