#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>

#include "core/base/error.h"
#include "core/base/weights/torch_archive.h"
#include "core/base/weights/torch_tensor.h"

namespace faststar {
namespace {

using namespace std::string_view_literals;
using Kind = PickleValue::Kind;

constexpr auto kLegacyStart = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;  // torch's magic number
constexpr int64_t kCountBytes = 8;  // the number of elements in front of each storage

/// A file read pickle by pickle, without copying it.
class PickleStream {
 public:
  explicit PickleStream(const MappedFile& file)
      : file_(file),
        pages_(file.map(0, file.size())),
        origin_(fmt::format("{}: old torch.save format", file.origin())) {}

  Pickle next() {
    const auto* const bytes = reinterpret_cast<const char*>(pages_.const_data_ptr<uint8_t>());
    size_t taken = 0;
    Pickle pickle = parse_pickle({bytes + position_, static_cast<size_t>(file_.size() - position_)}, origin_, &taken);
    position_ += static_cast<int64_t>(taken);
    return pickle;
  }
  int64_t position() const { return position_; }

 private:
  const MappedFile& file_;
  Tensor pages_;
  std::string origin_;
  int64_t position_ = 0;
};

void check_byte_order(const Pickle& system, const MappedFile& file) {
  for (const auto& [key, value] : system.root().entries) {
    if (system[key].kind != Kind::text || system[key].text != "little_endian" || system[value].integer == 1) continue;
    fail(ErrorKind::model, fmt::format("{}: expected little-endian data, got big-endian", file.origin()),
         "load it in PyTorch and torch.save it on a little-endian machine");
  }
}

/// Bytes of an element of each storage that `pickle` refers to, by key.
std::map<std::string, int64_t> element_sizes(const Pickle& pickle) {
  std::map<std::string, int64_t> sizes;
  for (PickleRef ref = 0; ref < pickle.size(); ++ref) {
    const auto storage = torch_storage(pickle, pickle[ref]);
    if (!storage) continue;
    const bool known = storage->dtype != at::ScalarType::Undefined;
    sizes[storage->key] = known ? static_cast<int64_t>(c10::elementSize(storage->dtype)) : 0;
  }
  return sizes;
}

/// The storages lie behind the pickles in the order of `keys`, each behind its number of elements.
std::map<std::string, FileRange> find_storages(const MappedFile& file, int64_t position, const Pickle& keys,
                                               const std::map<std::string, int64_t>& element_sizes) {
  std::map<std::string, FileRange> ranges;
  for (const PickleRef ref : keys.root().items) {
    const auto size = element_sizes.find(keys[ref].text);
    if (size == element_sizes.end() || size->second == 0) {
      fail(ErrorKind::model, fmt::format("{}: storage {}: its kind is not known", file.origin(), keys[ref].text));
    }
    int64_t count = 0, bytes = 0;
    file.read(position, kCountBytes).copy(reinterpret_cast<char*>(&count), kCountBytes);
    position += kCountBytes;
    if (count < 0 || __builtin_mul_overflow(count, size->second, &bytes) || bytes > file.size() - position) {
      fail(ErrorKind::model,
           fmt::format("{}: storage {}: {} elements leave the file", file.origin(), keys[ref].text, count),
           "download or copy the file again");
    }
    ranges[keys[ref].text] = {position, bytes};
    position += bytes;
  }
  return ranges;
}

}  // namespace

bool is_legacy_torch_file(std::string_view start) { return start.starts_with(kLegacyStart); }

TorchArchive read_legacy_torch_archive(const MappedFile& file) {
  PickleStream stream(file);
  stream.next();  // the magic number
  stream.next();  // the version of the format: there has been one
  check_byte_order(stream.next(), file);
  Pickle pickle = stream.next();
  const Pickle keys = stream.next();
  const auto ranges = find_storages(file, stream.position(), keys, element_sizes(pickle));
  return {std::move(pickle), [ranges, origin = file.origin()](const std::string& key) {
            const auto found = ranges.find(key);
            if (found == ranges.end()) fail(ErrorKind::model, fmt::format("{}: storage {} is missing", origin, key));
            return found->second;
          }};
}

}  // namespace faststar
