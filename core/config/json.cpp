#include "core/config/json.h"

#include <nlohmann/json.hpp>

#include "core/config/value.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json json_value(const T& value) {
  if constexpr (std::is_constructible_v<Json, T> && !std::is_enum_v<T>) {
    return Json(value);
  } else {
    return Json(value_text(value));
  }
}
Json json_value(Seconds value) { return Json(value.count); }

template <typename T>
void put(Json& section, const Field& field, const T& value) {
  section[std::string(field.name)] = json_value(value);
}
template <typename T>
void put(Json& section, const Field& field, const std::optional<T>& value) {
  if (value) put(section, field, *value);
}

/// "a.b" is the section b inside a.
Json& section_in(Json& json, std::string_view section) {
  const size_t dot = section.find('.');
  Json& outer = json[std::string(section.substr(0, dot))];
  return dot == std::string_view::npos ? outer : outer[std::string(section.substr(dot + 1))];
}

}  // namespace

nlohmann::ordered_json config_json(const Config& config) {
  Json json = Json::object();
  visit_config(config, [&](std::string_view section, const Field& field, const auto& member) {
    put(section_in(json, section), field, member);
  });
  return json;
}

}  // namespace faststar
