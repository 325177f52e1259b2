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
  if (found != std::end(kStoredDtypes)) return std::string(found->name);
  return dtype == at::ScalarType::Undefined ? "unknown" : c10::toString(dtype);
}

}  // namespace faststar
