#include "cli/device_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "core/config/value.h"

namespace faststar {
namespace {

/// "1" is a GPU's number.
std::string device_name_of(const std::string& text) {
  int number = 0;
  return parse_value(text, Field{.range = {0, 1024}}, number) ? fmt::format("cuda:{}", number) : text;
}

}  // namespace

std::vector<std::string> parse_devices(const std::string& text) {
  std::vector<std::string> devices;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    devices.push_back(device_name_of(std::string(rest.substr(0, comma))));
    if (devices.back().empty()) {
      fail(ErrorKind::usage, fmt::format("--devices: expected GPUs such as 0,1, got {}", text));
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return devices;
}

}  // namespace faststar
