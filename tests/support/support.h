#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"
#include "support/catch.h"

namespace faststar::test {

/// cpu, and cuda:0 where this build and this machine have one.
std::vector<at::Device> test_devices();

/// cpu with float32; the GPU with float32 and bfloat16.
struct DeviceDtype {
  at::Device device;
  at::ScalarType dtype;
};
std::vector<DeviceDtype> test_device_dtypes();

/// Relative tolerance for one op: float32 1e-5, float16 1e-2, bfloat16 4e-2.
double tolerance_of(at::ScalarType dtype);

/// Largest |a - b| over the largest |b|, in float64; 0 when both are empty, infinity when shapes or
/// finiteness differ.
double relative_error(const Tensor& a, const Tensor& b);

/// True when shape, dtype and every element are equal.
bool same(const Tensor& a, const Tensor& b);

/// Normal numbers from a seed, made on the CPU so that every device sees the same.
Tensor seeded_randn(at::IntArrayRef shape, uint64_t seed, at::Device device = at::kCPU,
                    at::ScalarType dtype = at::kFloat);

/// A folder of its own, removed at the end of the test.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// tests/golden of the source tree, or FASTSTAR_GOLDEN when set (a binary carried elsewhere).
std::filesystem::path golden_dir();

/// The built faststar, or FASTSTAR_PROGRAM when set (a binary carried elsewhere).
std::string program();

std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);

/// Warnings are failures unless a test collects them: while one of these lives, they are kept here.
class CollectWarnings {
 public:
  CollectWarnings();
  ~CollectWarnings();
  const std::vector<std::string>& lines() const;
  /// True when a warning holds `text`.
  bool has(const std::string& text) const;
};

/// True when the error's message holds `text`.
inline bool says(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

/// The Error that `action` throws; fails the test when it throws nothing.
template <typename Action>
Error error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  FAIL("expected a faststar::Error");
  throw std::logic_error("unreachable");
}

}  // namespace faststar::test
