#include "core/weights/file_bytes.h"

#include <initializer_list>

namespace faststar::test {
namespace {

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string bytes;
  for (const auto part : parts) bytes.append(part);
  return bytes;
}

std::string zeros(size_t count) { return std::string(count, '\0'); }

std::string directory_entry(const std::string& name, uint64_t size, uint64_t offset, ZipStyle style) {
  const auto small = [&](uint64_t value) { return bytes_of<uint32_t>(style.zip64 ? 0xffffffff : value); };
  std::string extra;
  if (style.zip64) {
    extra = joined({bytes_of<uint16_t>(1), bytes_of<uint16_t>(24), bytes_of(size), bytes_of(size), bytes_of(offset)});
  }
  return joined({"PK\1\2", zeros(6), bytes_of(style.method), zeros(8), small(size), small(size),
                 bytes_of<uint16_t>(name.size()), bytes_of<uint16_t>(extra.size()), zeros(10), small(offset), name,
                 extra});
}

std::string directory_end(uint64_t entries, uint64_t size, uint64_t offset, ZipStyle style) {
  if (!style.zip64) {
    return joined({"PK\5\6", zeros(4), bytes_of<uint16_t>(entries), bytes_of<uint16_t>(entries),
                   bytes_of<uint32_t>(size), bytes_of<uint32_t>(offset), zeros(2)});
  }
  return joined({"PK\6\6", bytes_of<uint64_t>(44), zeros(12), bytes_of(entries), bytes_of(entries), bytes_of(size),
                 bytes_of(offset),                                                              //
                 "PK\6\7", zeros(4), bytes_of<uint64_t>(offset + size), bytes_of<uint32_t>(1),  // the locator
                 "PK\5\6", zeros(4), std::string(12, '\xff'), zeros(2)});
}

}  // namespace

std::string safetensors_bytes(std::string_view header, std::string_view data) {
  return joined({bytes_of<uint64_t>(header.size()), header, data});
}

std::string zip_bytes(const ZipEntries& entries, ZipStyle style) {
  std::string file;
  std::string directory;
  for (const auto& [name, content] : entries) {
    directory += directory_entry(name, content.size(), file.size(), style);
    // Sizes stand in the directory; torch leaves them out of the local header too.
    file += joined({"PK\3\4", zeros(22), bytes_of<uint16_t>(name.size()), zeros(2), name, content});
  }
  return joined({file, directory, directory_end(entries.size(), directory.size(), file.size(), style)});
}

std::string pickled_text(std::string_view text) { return joined({"X", bytes_of<uint32_t>(text.size()), text}); }

std::string pickled_integer(int32_t integer) { return joined({"J", bytes_of(integer)}); }

std::string pickled_integers(const std::vector<int32_t>& integers) {
  std::string pickled = "(";
  for (const int32_t integer : integers) pickled += pickled_integer(integer);
  return pickled + "t";
}

std::string pickled_global(std::string_view module, std::string_view name) {
  return joined({"c", module, "\n", name, "\n"});
}

std::string pickled_dict(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string pickled = "}(";
  for (const auto& [key, value] : entries) pickled += pickled_text(key) + value;
  return pickled + "u";
}

std::string pickled_tensor(const PickledTensor& tensor) {
  const std::string storage =
      joined({"(", pickled_text("storage"), pickled_global("torch", tensor.storage_class), pickled_text(tensor.key),
              pickled_text("cpu"), pickled_integer(tensor.storage_elements), "tQ"});
  return joined({pickled_global("torch._utils", "_rebuild_tensor_v2"), "(", storage, pickled_integer(tensor.offset),
                 pickled_integers(tensor.shape), pickled_integers(tensor.strides), "\x89",
                 pickled_global("collections", "OrderedDict"), ")RtR"});
}

std::string torch_bytes(const std::string& pickled, const ZipEntries& storages, ZipStyle style) {
  ZipEntries entries = {{"archive/data.pkl", joined({"\x80\x02", pickled, "."})}, {"archive/byteorder", "little"}};
  for (const auto& [key, content] : storages) entries.emplace_back("archive/data/" + key, content);
  return zip_bytes(entries, style);
}

}  // namespace faststar::test
