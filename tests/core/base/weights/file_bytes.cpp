#include "core/base/weights/file_bytes.h"

#include <initializer_list>

namespace faststar::test {
namespace {

// From torch 2.11:
//   base = torch.arange(6, dtype=torch.float32).view(2, 3)
//   torch.save(OrderedDict([("a.weight", base), ("a.view", base.t()[1:]), ("b", torch.tensor([1.5, -2]).half())]),
//              f, _use_new_zipfile_serialization=False)
constexpr std::string_view kLegacyFile =
    "80028a0a6cfc9c46f9206aa850192e80024de9032e80027d710028581000000070726f746f636f6c5f76657273696f6e7101"
    "4de903580d0000006c6974746c655f656e6469616e710288580a000000747970655f73697a657371037d7104285805000000"
    "73686f727471054b025803000000696e7471064b0458040000006c6f6e6771074b0475752e800263636f6c6c656374696f6e"
    "730a4f726465726564446963740a710029527101285808000000612e776569676874710263746f7263682e5f7574696c730a"
    "5f72656275696c645f74656e736f725f76320a71032828580700000073746f72616765710463746f7263680a466c6f617453"
    "746f726167650a7105580e00000039333838383732353036393736307106580300000063707571074b064e747108514b004b"
    "024b038671094b034b0186710a8968002952710b74710c52710d5806000000612e76696577710e6803282868046805580e00"
    "00003933383838373235303639373630710f68074b064e747110514b014b024b028671114b014b0386711289680029527113"
    "747114527115580100000062711668032828680463746f7263680a48616c6653746f726167650a7117580e00000039333838"
    "38363232373931383732711868074b024e747119514b004b0285711a4b0185711b8968002952711c74711d52711e752e8002"
    "5d710028580e00000039333838383632323739313837327101580e00000039333838383732353036393736307102652e0200"
    "000000000000003e00c00600000000000000000000000000803f0000004000004040000080400000a040";

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

std::string legacy_torch_bytes() {
  std::string bytes;
  for (size_t i = 0; i < kLegacyFile.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(kLegacyFile.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

}  // namespace faststar::test
