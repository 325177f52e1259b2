#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace faststar {

/// A file whose bytes are locks, one an item, shared by all processes that open it, also over NFS. The kernel releases
/// a lock when its process ends, however it ends.
class LockFile {
 public:
  /// Creates the file where it is missing. Throws Error(output).
  explicit LockFile(const std::filesystem::path& path);
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  /// Held until destroyed.
  class Held {
   public:
    Held(int file, int64_t byte) : file_(file), byte_(byte) {}
    ~Held();
    Held(Held&& other) noexcept : file_(std::exchange(other.file_, -1)), byte_(other.byte_) {}
    Held& operator=(Held&&) = delete;

   private:
    int file_;
    int64_t byte_;
  };

  /// The lock of `name`, or nothing while someone else holds it. Names share a lock with a chance of 2^-62: a needless
  /// wait at worst. Throws Error(output) when the file system knows no locks.
  std::optional<Held> try_lock(std::string_view name);
  /// Waits for it.
  Held lock(std::string_view name);

 private:
  int file_;
  std::filesystem::path path_;
};

}  // namespace faststar
