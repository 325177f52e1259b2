#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace faststar {

/// The one of `known` with the fewest single-character edits to `name` (the first on a tie); "" without any.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace faststar
