#pragma once
#include <nlohmann/json_fwd.hpp>

#include "core/config/config.h"

namespace faststar {

/// Every setting by section and key, as metadata and --json record them; unset optionals are left out.
/// Paths are bytes: dump() with nlohmann::json::error_handler_t::replace.
nlohmann::ordered_json config_json(const Config& config);

}  // namespace faststar
