#include "core/lab/study/part_json.h"

#include <cmath>

namespace faststar {

nlohmann::ordered_json parts_json(const std::vector<PartTimes>& by_scale) {
  nlohmann::ordered_json json;
  for (size_t part = 0; part < kPassPartNames.size(); ++part) {
    nlohmann::ordered_json& scales = json[std::string(kPassPartNames[part])] = nlohmann::ordered_json::array();
    for (const PartTimes& times : by_scale) scales.push_back(std::round(times.ms[part] * 1e3) / 1e3);
  }
  return json;
}

std::vector<PartTimes> parse_parts(const nlohmann::ordered_json& json) {
  std::vector<PartTimes> by_scale(json.at(std::string(kPassPartNames.front())).size());
  for (size_t part = 0; part < kPassPartNames.size(); ++part) {
    const nlohmann::ordered_json& scales = json.at(std::string(kPassPartNames[part]));
    for (size_t scale = 0; scale < by_scale.size(); ++scale) by_scale[scale].ms[part] = scales.at(scale).get<double>();
  }
  return by_scale;
}

}  // namespace faststar
