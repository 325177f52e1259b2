#include "core/base/weights/tensor_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace faststar {

std::optional<int64_t> checked_numel(at::IntArrayRef shape) {
  constexpr int64_t kWidestElement = 16;
  int64_t numel = 1;
  int64_t bound = kWidestElement;  // in bytes, and zeros count as ones: strides multiply the same way
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(bound, std::max<int64_t>(extent, 1), &bound)) return std::nullopt;
    numel *= extent;
  }
  return numel;
}

void check_tensor_name(const std::string& name, const std::string& origin) {
  const bool printable = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (!printable) fail(ErrorKind::model, fmt::format("{}: the name of a tensor holds control characters", origin));
}

void fail_missing(const TensorSource& source, const std::string& name) {
  fail(ErrorKind::model, fmt::format("{}: tensor {} is missing", source.origin(), name),
       fmt::format("faststar info '{}' lists what is there", source.origin()));
}

}  // namespace faststar
