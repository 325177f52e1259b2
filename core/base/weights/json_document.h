#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace faststar {

/// `text` as a JSON object. Throws Error(model) naming `origin` when it is not JSON, not an object, nested
/// deeper than a checkpoint's header ever is, or holds a key twice.
nlohmann::json parse_json_object(const std::string& text, const std::string& origin);

}  // namespace faststar
