#pragma once
#include <memory>

#include "core/base/atomic_file.h"

namespace faststar {

/// The right of one run to make a file: two runs that start at once do not work for the same name. It is a locked,
/// hidden file beside it, `.<name>.claim`, that goes with this object; that of a killed process does not count.
class NameClaim {
 public:
  /// Claims `file`; null while another claim on it lives, in any process. A file system without locks never refuses.
  /// The folder must take files (check_writable). Throws Error(output).
  static std::shared_ptr<const NameClaim> take(const std::filesystem::path& file);

  NameClaim(const NameClaim&) = delete;
  NameClaim& operator=(const NameClaim&) = delete;

 private:
  struct Lock {
    int file;
    ~Lock();
  };
  NameClaim(const std::filesystem::path& claim, int lock) : lock_{lock}, file_(claim) {}

  Lock lock_;
  TemporaryPath file_;  ///< removed while it is locked: a claim of that name that comes later is another's
};

/// The same for a name that the user gave: throws Error(output) while another run makes the file, unless `existing`
/// lets it be replaced.
std::shared_ptr<const NameClaim> claim_name(const std::filesystem::path& file, Existing existing);

}  // namespace faststar
