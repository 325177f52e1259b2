#include <elf.h>

#include <cstring>
#include <sstream>

#include "support/support.h"

namespace faststar {
namespace {

template <typename T>
T read_at(const std::string& file, size_t offset) {
  REQUIRE(offset + sizeof(T) <= file.size());
  T value;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

std::vector<Elf64_Phdr> segments_of(const std::string& file, Elf64_Word type) {
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  std::vector<Elf64_Phdr> segments;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(file, header.e_phoff + i * header.e_phentsize);
    if (segment.p_type == type) segments.push_back(segment);
  }
  return segments;
}

size_t file_offset(const std::string& file, Elf64_Addr address) {
  for (const Elf64_Phdr& segment : segments_of(file, PT_LOAD)) {
    if (address >= segment.p_vaddr && address < segment.p_vaddr + segment.p_filesz) {
      return segment.p_offset + (address - segment.p_vaddr);
    }
  }
  FAIL("an address outside the file");
  return 0;
}

/// Where the loader looks for the libraries of a program: its RPATH and RUNPATH, as they are in the file.
std::vector<std::string> runtime_paths(const std::string& file) {
  const Elf64_Phdr segment = segments_of(file, PT_DYNAMIC).at(0);
  std::vector<size_t> paths;
  size_t strings = 0;
  for (size_t at = segment.p_offset; at < segment.p_offset + segment.p_filesz; at += sizeof(Elf64_Dyn)) {
    const auto entry = read_at<Elf64_Dyn>(file, at);
    if (entry.d_tag == DT_STRTAB) strings = file_offset(file, entry.d_un.d_ptr);
    if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) paths.push_back(entry.d_un.d_val);
  }
  std::vector<std::string> found;
  for (const size_t path : paths) found.emplace_back(file.c_str() + strings + path);
  return found;
}

}  // namespace

TEST_CASE("the program and these tests look for libraries in named folders only", "[cli]") {
  const std::string file = GENERATE(test::program(), std::string("/proc/self/exe"));
  const auto paths = runtime_paths(test::read_text(file));
  REQUIRE_FALSE(paths.empty());
  for (const std::string& path : paths) {
    INFO(path);
    std::istringstream entries(path + ":.");  // getline drops an empty last entry, but not one before another
    for (std::string entry; std::getline(entries, entry, ':') && !entries.eof();) {
      CHECK((entry.starts_with("/") || entry.starts_with("$ORIGIN/")));
    }
  }
}

}  // namespace faststar
