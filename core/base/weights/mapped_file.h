#pragma once
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

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
  /// The same, into `bytes`. Callable from several threads at once.
  void read_into(void* bytes, int64_t offset, int64_t count) const;

  /// The same bytes as a uint8 tensor [count] over the file's pages: they are loaded when touched and
  /// released with the last tensor over them, which may outlive this object. Writing in place changes memory, never the
  /// file.
  Tensor map(int64_t offset, int64_t count) const;

 private:
  void check_range(int64_t offset, int64_t count) const;

  std::string origin_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

/// Throws Error(model) when `bytes`, the beginning of the file that messages call `origin`, are those of a Git LFS
/// pointer, which stands for a file that was not downloaded.
void refuse_lfs_pointer(std::string_view bytes, const std::string& origin);

/// Elements of `dtype` in uint8 `bytes` [count * item size] -> [count], without a copy unless they are misaligned.
Tensor elements_of(const Tensor& bytes, at::ScalarType dtype);

/// Reads bytes that may be damaged, one after another: taking more than is left throws Error(model) naming `origin`.
/// Both arguments must outlive it.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  size_t position() const { return position_; }

  /// The next `count` bytes.
  std::string_view take(uint64_t count);

  /// The next little-endian number, as this machine stores them.
  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  /// The text up to the next line end, which is skipped.
  std::string_view line();

 private:
  [[noreturn]] void fail_short() const;

  std::string_view bytes_;
  const std::string& origin_;
  size_t position_ = 0;
};

}  // namespace faststar
