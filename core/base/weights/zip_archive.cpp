#include "core/base/weights/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/weights/byte_reader.h"

namespace faststar {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kDirectoryEnd = 0x06054b50;
constexpr uint32_t kZip64DirectoryEnd = 0x06064b50;
constexpr uint32_t kZip64Locator = 0x07064b50;
constexpr int64_t kLocalHeaderBytes = 30;
constexpr int64_t kDirectoryEntryBytes = 46;
constexpr int64_t kDirectoryEndBytes = 22;
constexpr int64_t kZip64DirectoryEndBytes = 56;
constexpr int64_t kZip64LocatorBytes = 20;
constexpr int64_t kLongestComment = 65535;
constexpr uint64_t kLongestDirectory = 256 << 20;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kEncrypted = 1;
constexpr uint32_t kInZip64 = 0xffffffff;  // a 32-bit field whose value stands in the zip64 extra

/// Replaces the fields that were too small, in the order that the format gives them.
void apply_zip64(ByteReader extra, size_t extra_bytes, const std::vector<uint64_t*>& fields) {
  while (extra.position() + 4 <= extra_bytes) {
    const auto id = extra.number<uint16_t>();
    const auto length = extra.number<uint16_t>();
    if (id != kZip64Extra) {
      extra.take(length);
      continue;
    }
    for (uint64_t* field : fields) {
      if (*field == kInZip64) *field = extra.number<uint64_t>();
    }
    return;
  }
}

}  // namespace

ZipArchive::ZipArchive(const MappedFile& file) : file_(file) { parse_directory(find_directory()); }

void ZipArchive::fail_damaged(const std::string& what) const {
  fail(ErrorKind::model, fmt::format("{}: damaged zip file: {}", file_.origin(), what), "download or copy it again");
}

ZipArchive::Directory ZipArchive::find_directory() const {
  const int64_t tail_bytes = std::min(file_.size(), kDirectoryEndBytes + kLongestComment);
  const int64_t tail_offset = file_.size() - tail_bytes;
  const std::string tail = file_.read(tail_offset, tail_bytes);
  for (int64_t at = tail_bytes - kDirectoryEndBytes; at >= 0; --at) {
    ByteReader reader(std::string_view(tail).substr(static_cast<size_t>(at)), file_.origin());
    if (reader.number<uint32_t>() != kDirectoryEnd) continue;
    reader.take(6);  // numbers of disks
    Directory directory;
    directory.entries = reader.number<uint16_t>();
    directory.bytes = reader.number<uint32_t>();
    directory.offset = reader.number<uint32_t>();
    const bool is_zip64 = directory.entries == 0xffff || directory.bytes == kInZip64 || directory.offset == kInZip64;
    return is_zip64 ? read_zip64_directory(tail_offset + at - kZip64LocatorBytes) : directory;
  }
  fail_damaged("its directory, which is at the end, was not found");
}

ZipArchive::Directory ZipArchive::read_zip64_directory(int64_t locator_offset) const {
  const std::string locator = file_.read(locator_offset, kZip64LocatorBytes);
  ByteReader reader(locator, file_.origin());
  if (reader.number<uint32_t>() != kZip64Locator) fail_damaged("the zip64 locator is missing");
  reader.take(4);  // number of a disk
  const std::string end = file_.read(reader.number<int64_t>(), kZip64DirectoryEndBytes);
  ByteReader end_reader(end, file_.origin());
  if (end_reader.number<uint32_t>() != kZip64DirectoryEnd) fail_damaged("the zip64 directory end is missing");
  end_reader.take(28);  // own size, versions, disks, entries on this disk
  Directory directory;
  directory.entries = end_reader.number<uint64_t>();
  directory.bytes = end_reader.number<uint64_t>();
  directory.offset = end_reader.number<uint64_t>();
  return directory;
}

void ZipArchive::parse_directory(const Directory& directory) {
  if (directory.bytes > kLongestDirectory || directory.entries > directory.bytes / kDirectoryEntryBytes) {
    fail_damaged(fmt::format("{} entries in a directory of {} bytes", directory.entries, directory.bytes));
  }
  const std::string bytes = file_.read(static_cast<int64_t>(directory.offset), static_cast<int64_t>(directory.bytes));
  ByteReader reader(bytes, file_.origin());
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (reader.number<uint32_t>() != kDirectoryEntry) fail_damaged(fmt::format("directory entry {}", i));
    Entry entry;
    reader.take(4);  // versions
    entry.flags = reader.number<uint16_t>();
    entry.method = reader.number<uint16_t>();
    reader.take(8);  // time, date, checksum
    entry.packed_bytes = reader.number<uint32_t>();
    entry.bytes = reader.number<uint32_t>();
    const auto name_bytes = reader.number<uint16_t>();
    const auto extra_bytes = reader.number<uint16_t>();
    const auto comment_bytes = reader.number<uint16_t>();
    reader.take(8);  // disk, attributes
    entry.header_offset = reader.number<uint32_t>();
    const std::string name(reader.take(name_bytes));
    apply_zip64(ByteReader(reader.take(extra_bytes), file_.origin()), extra_bytes,
                {&entry.bytes, &entry.packed_bytes, &entry.header_offset});
    reader.take(comment_bytes);
    if (!entries_.emplace(name, entry).second) fail_damaged(fmt::format("entry {} is there twice", name));
  }
}

FileRange ZipArchive::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) fail_damaged(fmt::format("entry {} is missing", name));
  const Entry& entry = found->second;
  if (entry.method != 0 || (entry.flags & kEncrypted) != 0 || entry.packed_bytes != entry.bytes) {
    fail(ErrorKind::model, fmt::format("{}: entry {} is compressed or encrypted", file_.origin(), name),
         "torch.save stores its entries as they are; save it again with torch.save");
  }
  const auto header_offset = static_cast<int64_t>(entry.header_offset);
  const std::string header = file_.read(header_offset, kLocalHeaderBytes);
  ByteReader reader(header, file_.origin());
  if (reader.number<uint32_t>() != kLocalHeader) fail_damaged(fmt::format("entry {} has no header", name));
  reader.take(22);
  const int64_t name_bytes = reader.number<uint16_t>();
  const int64_t extra_bytes = reader.number<uint16_t>();
  const int64_t offset = header_offset + kLocalHeaderBytes + name_bytes + extra_bytes;
  if (offset > file_.size() || entry.bytes > static_cast<uint64_t>(file_.size() - offset)) {
    fail_damaged(fmt::format("entry {}: {} bytes from {}, the file has {}", name, entry.bytes, offset, file_.size()));
  }
  return {offset, static_cast<int64_t>(entry.bytes)};
}

std::string ZipArchive::find_below_root(const std::string& name) const {
  std::string only;
  for (const auto& [path, entry] : entries_) {
    const auto slash = path.find('/');
    if (slash == std::string::npos || path.compare(slash + 1, std::string::npos, name) != 0) continue;
    if (!only.empty()) return "";
    only = path;
  }
  return only;
}

}  // namespace faststar
