#include "core/base/name_claim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/error.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;

/// True when `path` still is the file that is open as `file`: its last holder may have removed it meanwhile.
bool is_same_file(int file, const fs::path& path) {
  struct stat opened {
  }, named{};
  return fstat(file, &opened) == 0 && lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace

std::shared_ptr<const NameClaim> NameClaim::take(const fs::path& file) {
  const fs::path claim = claim_file(file);
  while (true) {
    const int lock = open(claim.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (lock < 0) fail_errno(ErrorKind::output, file.string(), "claim the name");
    if (flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close(lock);
      return nullptr;
    }
    if (is_same_file(lock, claim)) return std::shared_ptr<const NameClaim>(new NameClaim(claim, lock));
    close(lock);
  }
}

NameClaim::Lock::~Lock() { close(file); }

std::shared_ptr<const NameClaim> claim_name(const fs::path& file, Existing existing) {
  auto claim = NameClaim::take(file);
  if (claim || existing == Existing::replace) return claim;
  fail(ErrorKind::output, fmt::format("{}: another run is making this file", file.string()),
       "use -o to name another file");
}

}  // namespace faststar
