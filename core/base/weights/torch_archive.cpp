#include "core/base/weights/torch_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/base/error.h"

namespace faststar {
namespace {

using namespace std::string_view_literals;

constexpr auto kZipStart = "PK\3\4"sv;
constexpr int64_t kLongestPickle = 64 << 20;
constexpr int64_t kStart = 16;  // bytes that tell the formats apart

void check_byte_order(const MappedFile& file, const ZipArchive& zip, const std::string& folder) {
  if (!zip.has(folder + "byteorder")) return;  // torch before 2.1 wrote none, and little-endian
  const FileRange record = zip.find(folder + "byteorder");
  if (file.read(record.offset, std::min<int64_t>(record.bytes, 16)) == "little") return;
  fail(ErrorKind::model, fmt::format("{}: expected little-endian data, got another byte order", file.origin()),
       "load it in PyTorch and torch.save it on a little-endian machine");
}

Pickle read_pickle(const MappedFile& file, const ZipArchive& zip, const std::string& name) {
  const FileRange record = zip.find(name);
  if (record.bytes > kLongestPickle) {
    fail(ErrorKind::model,
         fmt::format("{}: {}: {} bytes, too long for names of tensors", file.origin(), name, record.bytes));
  }
  return parse_pickle(file.read(record.offset, record.bytes), fmt::format("{}: data.pkl", file.origin()));
}

TorchArchive read_zip_archive(const MappedFile& file) {
  const auto zip = std::make_shared<const ZipArchive>(file);
  const std::string name = zip->find_below_root("data.pkl");
  if (name.empty()) fail(ErrorKind::model, fmt::format("{}: a zip file, but not of torch.save", file.origin()));
  const std::string folder = name.substr(0, name.find('/') + 1);
  check_byte_order(file, *zip, folder);
  return {read_pickle(file, *zip, name),
          [zip, folder](const std::string& key) { return zip->find(fmt::format("{}data/{}", folder, key)); }};
}

}  // namespace

TorchArchive read_torch_archive(const MappedFile& file) {
  const std::string start = file.read(0, std::min(file.size(), kStart));
  if (start.starts_with(kZipStart)) return read_zip_archive(file);
  if (is_legacy_torch_file(start)) return read_legacy_torch_archive(file);
  fail(ErrorKind::model, fmt::format("{}: not a file of torch.save", file.origin()));
}

}  // namespace faststar
