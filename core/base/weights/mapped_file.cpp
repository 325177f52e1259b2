#include "core/base/weights/mapped_file.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/error.h"

namespace faststar {

MappedFile::MappedFile(const std::filesystem::path& path) : origin_(path.string()) {
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a named pipe would block
  if (descriptor_ < 0) fail_errno(ErrorKind::model, origin_, "read");
  struct stat status {};
  if (fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
    size_ = status.st_size;
    return;
  }
  close(descriptor_);
  fail(ErrorKind::model, fmt::format("{}: is not a regular file", origin_));
}

MappedFile::~MappedFile() { close(descriptor_); }

void MappedFile::check_range(int64_t offset, int64_t count) const {
  if (offset >= 0 && count >= 0 && offset <= size_ && count <= size_ - offset) return;
  fail(ErrorKind::model,
       fmt::format("{}: cut short: {} bytes from {} are needed, the file has {}", origin_, count, offset, size_),
       "download or copy it again");
}

std::string MappedFile::read(int64_t offset, int64_t count) const {
  check_range(offset, count);
  std::string bytes(static_cast<size_t>(count), '\0');
  read_into(bytes.data(), offset, count);
  return bytes;
}

void MappedFile::read_into(void* bytes, int64_t offset, int64_t count) const {
  check_range(offset, count);
  char* const start = static_cast<char*>(bytes);
  for (int64_t done = 0; done < count;) {
    const ssize_t got = pread(descriptor_, start + done, static_cast<size_t>(count - done), offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(ErrorKind::model, origin_, "read");
    if (got == 0) fail(ErrorKind::model, fmt::format("{}: the file became shorter while it was read", origin_));
    done += got;
  }
}

Tensor MappedFile::map(int64_t offset, int64_t count) const {
  check_range(offset, count);
  if (count == 0) return at::empty({0}, at::kByte);
  const int64_t lead = offset % sysconf(_SC_PAGESIZE);
  const auto length = static_cast<size_t>(lead + count);
  // Private and writable: a write in place (a training step) copies the page instead of faulting.
  // NORESERVE: tens of GB of weights must not count as promised memory.
  void* pages = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor_, offset - lead);
  if (pages == MAP_FAILED) fail_errno(ErrorKind::model, origin_, "read");
  return at::from_blob(
      static_cast<char*>(pages) + lead, {count}, [pages, length](void*) { munmap(pages, length); },
      at::TensorOptions().dtype(at::kByte));
}

void refuse_lfs_pointer(std::string_view bytes, const std::string& origin) {
  if (!bytes.starts_with("version https://git-lfs")) return;
  fail(ErrorKind::model, fmt::format("{}: a Git LFS pointer, not the file itself", origin), "git lfs pull");
}

Tensor elements_of(const Tensor& bytes, at::ScalarType dtype) {
  if (dtype == at::kBool) return bytes.ne(0);  // any other byte than 0 and 1 would be an invalid bool
  const auto address = reinterpret_cast<uintptr_t>(bytes.const_data_ptr());
  const bool aligned = address % c10::elementSize(dtype) == 0;
  return (aligned ? bytes : bytes.clone()).view(dtype);
}

std::string_view ByteReader::take(uint64_t count) {
  if (count > bytes_.size() - position_) fail_short();
  const auto taken = bytes_.substr(position_, count);
  position_ += count;
  return taken;
}

std::string_view ByteReader::line() {
  const auto end = bytes_.find('\n', position_);
  if (end == std::string_view::npos) fail_short();
  const auto text = take(end - position_);
  take(1);
  return text;
}

void ByteReader::fail_short() const {
  fail(ErrorKind::model, fmt::format("{}: cut short after byte {} of {}", origin_, position_, bytes_.size()),
       "download or copy the file again");
}

}  // namespace faststar
