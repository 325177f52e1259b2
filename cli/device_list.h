#pragma once
#include <string>
#include <vector>

namespace faststar {

/// The devices of --devices: "0,1" is cuda:0 and cuda:1; "cpu" may stand there too. Empty for an empty text. Throws
/// Error(usage).
std::vector<std::string> parse_devices(const std::string& text);

}  // namespace faststar
