#pragma once
#include <filesystem>
#include <string>

#include "core/base/tensor.h"

namespace faststar {

/// A model file open for reading. Every range is checked against the file's size; throws Error(model).
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  int64_t size() const { return size_; }
  /// The path, as messages name it.
  const std::string& origin() const { return origin_; }

  /// `count` bytes from `offset`, copied.
  std::string read(int64_t offset, int64_t count) const;

  /// The same bytes as a uint8 tensor [count] over the file's pages: they are loaded when touched and given
  /// back with the last tensor over them, which may outlive this object. Writing in place changes that
  /// memory, never the file.
  Tensor map(int64_t offset, int64_t count) const;

 private:
  void check_range(int64_t offset, int64_t count) const;

  std::string origin_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

/// Elements of `dtype` in uint8 `bytes` [count * item size] -> [count], without a copy unless they are misaligned.
Tensor elements_of(const Tensor& bytes, at::ScalarType dtype);

}  // namespace faststar
