#include "core/base/weights/fingerprint.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/base/hash.h"

namespace faststar {
namespace {

constexpr int64_t kValues = 16;  // of each tensor

/// Equal shapes are common among training snapshots: only values tell them apart.
uint64_t add_first_values(uint64_t hash, const Tensor& tensor) {
  const Tensor values = tensor.reshape({-1}).narrow(0, 0, std::min(kValues, tensor.numel())).contiguous();
  return fnv1a({static_cast<const char*>(values.const_data_ptr()), values.nbytes()}, hash);
}

}  // namespace

std::string fingerprint(const TensorSource& source) {
  uint64_t hash = source.makes_any() ? fnv1a(source.origin()) : fnv1a("");
  for (const auto& [name, info] : source.tensors()) {
    hash = fnv1a(fmt::format("{} {} {}\n", name, shape_text(info.shape), dtype_text(info.dtype)), hash);
    if (info.dtype != at::ScalarType::Undefined) hash = add_first_values(hash, source.read(name, info, at::kCPU));
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace faststar
