#include "core/base/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace faststar {

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

std::string dtype_text(at::ScalarType dtype) {
  const auto found = std::ranges::find(kStoredDtypes, dtype, &StoredDtype::dtype);
  return found == std::end(kStoredDtypes) ? c10::toString(dtype) : std::string(found->name);
}

}  // namespace faststar
