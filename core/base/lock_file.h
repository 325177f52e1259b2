#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace faststar {

/// A file whose bytes are locks, one per item, shared by all processes that open it, also over NFS. The kernel releases
/// a lock when its process ends, however it ends.
class LockFile {
 public:
  /// Creates the file if needed. Throws Error(output).
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

  /// The lock of `name`, or nothing while another process holds it. Two names share a lock with probability 2^-62; that
  /// costs a needless wait. Throws Error(output) when the file system has no locks.
  std::optional<Held> try_lock(std::string_view name);
  /// Waits for it.
  Held lock(std::string_view name);

 private:
  int file_;
  std::filesystem::path path_;
};

}  // namespace faststar
