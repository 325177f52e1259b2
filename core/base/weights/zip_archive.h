#pragma once
#include <map>
#include <string>

#include "core/base/weights/mapped_file.h"

namespace faststar {

/// Where the bytes of a stored entry lie in the archive's file.
struct FileRange {
  int64_t offset = 0;
  int64_t bytes = 0;
};

/// The directory of a zip file, zip64 included. Source: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3.
class ZipArchive {
 public:
  /// Reads the central directory of `file`, which must outlive this. Throws Error(model) when it is damaged.
  explicit ZipArchive(const MappedFile& file);

  bool has(const std::string& name) const { return entries_.contains(name); }
  /// Throws Error(model) when `name` is not there, is compressed or encrypted, or leaves the file.
  FileRange find(const std::string& name) const;
  /// The name of the one entry `<folder>/<name>`, folders being one level deep; empty when there is none or
  /// more than one.
  std::string find_below_root(const std::string& name) const;

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

  Directory find_directory() const;
  Directory read_zip64_directory(int64_t locator_offset) const;
  void parse_directory(const Directory& directory);
  [[noreturn]] void fail_damaged(const std::string& what) const;

  const MappedFile& file_;
  std::map<std::string, Entry> entries_;
};

}  // namespace faststar
