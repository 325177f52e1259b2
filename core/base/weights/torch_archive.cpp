#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/weights/torch_file.h"

namespace faststar {
namespace {

using namespace std::string_view_literals;
using Kind = PickleValue::Kind;

constexpr auto kZipStart = "PK\3\4"sv;
constexpr auto kLegacyStart = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;  // torch's magic number
constexpr int64_t kMaxPickleBytes = 64 << 20;
constexpr int64_t kStart = 16;  // bytes that tell the formats apart

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
constexpr int64_t kMaxComment = 65535;
constexpr uint64_t kMaxDirectoryBytes = 32 << 20;  // some 300,000 tensors
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kEncrypted = 1;
constexpr uint32_t kInZip64 = 0xffffffff;  // the value of a 32-bit field that the zip64 extra replaces

/// Replaces fields that were too small for their values, in the order of the format.
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

/// The directory of a zip file, zip64 included. Source: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3.
class ZipArchive {
 public:
  /// Reads the central directory of `file`, which must outlive this. Throws Error(model) when it is damaged.
  explicit ZipArchive(const MappedFile& file) : file_(file) { parse_directory(find_directory()); }

  bool has(const std::string& name) const { return entries_.contains(name); }
  /// Throws Error(model) when `name` is not there, is compressed or encrypted, or leaves the file.
  FileRange find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail_damaged(fmt::format("entry {} is missing", name));
    const Entry& entry = found->second;
    if (entry.method != 0 || (entry.flags & kEncrypted) != 0 || entry.packed_bytes != entry.bytes) {
      fail(ErrorKind::model, fmt::format("{}: entry {} is compressed or encrypted", file_.origin(), name),
           "torch.save does not compress; save it again with torch.save");
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

  /// The one entry `<folder>/<name>`; empty when there is none or more than one.
  std::string find_below_root(const std::string& name) const {
    std::string only;
    for (const auto& [path, entry] : entries_) {
      const auto slash = path.find('/');
      if (slash == std::string::npos || path.compare(slash + 1, std::string::npos, name) != 0) continue;
      if (!only.empty()) return "";
      only = path;
    }
    return only;
  }

 private:
  struct Entry {
    uint16_t flags = 0;
    uint16_t method = 0;
    uint64_t packed_bytes = 0;
    uint64_t bytes = 0;
    uint64_t header_offset = 0;
  };
  struct Directory {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t entries = 0;
  };

  [[noreturn]] void fail_damaged(const std::string& what) const {
    fail(ErrorKind::model, fmt::format("{}: damaged zip file: {}", file_.origin(), what), "download or copy it again");
  }

  Directory find_directory() const {
    const int64_t tail_bytes = std::min(file_.size(), kDirectoryEndBytes + kMaxComment);
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
    fail_damaged("no central directory at the end of the file");
  }

  Directory read_zip64_directory(int64_t locator_offset) const {
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

  void parse_directory(const Directory& directory) {
    if (directory.bytes > kMaxDirectoryBytes || directory.entries > directory.bytes / kDirectoryEntryBytes) {
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
      if (!entries_.emplace(name, entry).second) fail_damaged(fmt::format("duplicate entry {}", name));
    }
  }

  const MappedFile& file_;
  std::map<std::string, Entry> entries_;
};

void check_zip_byte_order(const MappedFile& file, const ZipArchive& zip, const std::string& folder) {
  if (!zip.has(folder + "byteorder")) return;  // torch before 2.1 wrote none, and little-endian
  const FileRange record = zip.find(folder + "byteorder");
  if (file.read(record.offset, std::min<int64_t>(record.bytes, 16)) == "little") return;
  fail(ErrorKind::model, fmt::format("{}: expected little-endian data, got another byte order", file.origin()),
       "load it in PyTorch and torch.save it on a little-endian machine");
}

Pickle read_pickle(const MappedFile& file, const ZipArchive& zip, const std::string& name) {
  const FileRange record = zip.find(name);
  if (record.bytes > kMaxPickleBytes) {
    fail(ErrorKind::model,
         fmt::format("{}: {}: {} bytes, too large for a list of tensor names", file.origin(), name, record.bytes));
  }
  return parse_pickle(file.read(record.offset, record.bytes), fmt::format("{}: data.pkl", file.origin()));
}

TorchArchive read_zip_archive(const MappedFile& file) {
  const auto zip = std::make_shared<const ZipArchive>(file);
  const std::string name = zip->find_below_root("data.pkl");
  if (name.empty())
    fail(ErrorKind::model, fmt::format("{}: a zip file, but not one that torch.save wrote", file.origin()));
  const std::string folder = name.substr(0, name.find('/') + 1);
  check_zip_byte_order(file, *zip, folder);
  return {read_pickle(file, *zip, name),
          [zip, folder](const std::string& key) { return zip->find(fmt::format("{}data/{}", folder, key)); }};
}

constexpr int64_t kCountBytes = 8;  // the number of elements before each storage

void check_legacy_byte_order(const Pickle& system, const MappedFile& file) {
  for (const auto& [key, value] : system.root().entries) {
    if (system[key].kind != Kind::text || system[key].text != "little_endian" || system[value].integer == 1) continue;
    fail(ErrorKind::model, fmt::format("{}: expected little-endian data, got big-endian", file.origin()),
         "load it in PyTorch and torch.save it on a little-endian machine");
  }
}

/// Bytes of an element of each storage that `pickle` refers to, by key.
std::map<std::string, int64_t> element_sizes(const Pickle& pickle) {
  std::map<std::string, int64_t> sizes;
  for (const PickleValue& value : pickle.values) {
    const auto storage = torch_storage(pickle, value);
    if (!storage) continue;
    const bool known = storage->dtype != at::ScalarType::Undefined;
    sizes[storage->key] = known ? static_cast<int64_t>(c10::elementSize(storage->dtype)) : 0;
  }
  return sizes;
}

/// The storages follow the pickles in the order of `keys`, each after its number of elements.
std::map<std::string, FileRange> find_storages(const MappedFile& file, int64_t position, const Pickle& keys,
                                               const std::map<std::string, int64_t>& element_sizes) {
  std::map<std::string, FileRange> ranges;
  for (const PickleRef ref : keys.root().items) {
    const auto size = element_sizes.find(keys[ref].text);
    if (size == element_sizes.end() || size->second == 0) {
      fail(ErrorKind::model, fmt::format("{}: storage {}: unknown type", file.origin(), keys[ref].text));
    }
    int64_t count = 0, bytes = 0;
    file.read(position, kCountBytes).copy(reinterpret_cast<char*>(&count), kCountBytes);
    position += kCountBytes;
    if (count < 0 || __builtin_mul_overflow(count, size->second, &bytes) || bytes > file.size() - position) {
      fail(ErrorKind::model,
           fmt::format("{}: storage {}: {} elements reach past the end of the file", file.origin(), keys[ref].text,
                       count),
           "download or copy the file again");
    }
    ranges[keys[ref].text] = {position, bytes};
    position += bytes;
  }
  return ranges;
}

/// Source: torch/serialization.py `_legacy_save`.
TorchArchive read_legacy_archive(const MappedFile& file) {
  const Tensor pages = file.map(0, file.size());
  std::string_view rest(static_cast<const char*>(pages.const_data_ptr()), static_cast<size_t>(file.size()));
  const auto next = [&rest, origin = fmt::format("{}: old torch.save format", file.origin())] {
    size_t taken = 0;
    Pickle pickle = parse_pickle(rest.substr(0, kMaxPickleBytes), origin, &taken);
    rest.remove_prefix(taken);
    return pickle;
  };
  next();  // the magic number
  next();  // the version of the format: there has been one
  check_legacy_byte_order(next(), file);
  Pickle pickle = next();
  const Pickle keys = next();
  const int64_t data_start = file.size() - static_cast<int64_t>(rest.size());
  const auto ranges = find_storages(file, data_start, keys, element_sizes(pickle));
  return {std::move(pickle), [ranges, origin = file.origin()](const std::string& key) {
            const auto found = ranges.find(key);
            if (found == ranges.end()) fail(ErrorKind::model, fmt::format("{}: storage {} is missing", origin, key));
            return found->second;
          }};
}

/// "torch.FloatStorage", or "torch.cuda.FloatStorage" as torch before 1.10 wrote it.
at::ScalarType dtype_of_storage(std::string_view name) {
  for (const std::string_view module : {"torch.cuda.", "torch."}) {
    if (!name.starts_with(module)) continue;
    for (const StoredDtype& stored : kStoredDtypes) {
      if (name.substr(module.size()) == stored.torch_storage) return stored.dtype;
    }
  }
  return at::ScalarType::Undefined;
}

}  // namespace

// ("storage", storage class, key, device, elements), and in the old format a view into another storage, which torch
// has not written since 0.4 and which is None.
std::optional<TorchStorage> torch_storage(const Pickle& pickle, const PickleValue& value) {
  if (value.kind != Kind::persistent) return std::nullopt;
  const PickleValue& id = pickle[value.items[0]];
  const bool has_view = id.items.size() == 6;
  if (id.kind != Kind::sequence || (id.items.size() != 5 && !has_view)) return std::nullopt;
  if (has_view && pickle[id.items[5]].kind != Kind::opaque) return std::nullopt;
  const PickleValue& storage_class = pickle[id.items[1]];
  const PickleValue& key = pickle[id.items[2]];
  const PickleValue& elements = pickle[id.items[4]];
  if (storage_class.kind != Kind::global || key.kind != Kind::text || elements.kind != Kind::integer) {
    return std::nullopt;
  }
  return TorchStorage{storage_class.text, dtype_of_storage(storage_class.text), key.text, elements.integer};
}

bool is_torch_file(std::string_view start) { return start.starts_with(kZipStart) || start.starts_with(kLegacyStart); }

TorchArchive read_torch_archive(const MappedFile& file) {
  const std::string start = file.read(0, std::min(file.size(), kStart));
  if (start.starts_with(kZipStart)) return read_zip_archive(file);
  if (start.starts_with(kLegacyStart)) return read_legacy_archive(file);
  fail(ErrorKind::model, fmt::format("{}: not a torch.save file", file.origin()));
}

}  // namespace faststar
