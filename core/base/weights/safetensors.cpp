#include "core/base/weights/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/base/weights/mapped_file.h"

namespace faststar {
namespace {

using nlohmann::json;

/// A tensor in the header.
struct Entry {
  TensorInfo info;         ///< dtype Undefined when we do not know the stored one
  std::string dtype_name;  ///< as stored
  int64_t offset = 0;      ///< in the file
  int64_t bytes = 0;
};

constexpr uint64_t kLengthBytes = 8;
constexpr auto kMaxInteger = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

at::ScalarType dtype_from_safetensors(std::string_view name) {
  const auto found = std::ranges::find(kStoredDtypes, name, &StoredDtype::safetensors);
  return found == std::end(kStoredDtypes) ? at::ScalarType::Undefined : found->dtype;
}

std::string dtype_to_safetensors(at::ScalarType dtype) {
  const auto found = std::ranges::find(kStoredDtypes, dtype, &StoredDtype::dtype);
  if (found != std::end(kStoredDtypes)) return std::string(found->safetensors);
  fail(ErrorKind::internal, fmt::format("safetensors: cannot store {}", dtype_text(dtype)));
}

[[noreturn]] void fail_header(const MappedFile& file, const std::string& what) {
  fail(ErrorKind::model, fmt::format("{}: not a valid safetensors file: {}", file.origin(), what),
       "download or copy it again");
}

std::string read_header_text(const MappedFile& file) {
  const auto size = static_cast<uint64_t>(file.size());
  if (size < kLengthBytes) fail_header(file, fmt::format("{} bytes, expected at least {}", size, kLengthBytes));
  uint64_t length = 0;
  std::memcpy(&length, file.read(0, kLengthBytes).data(), kLengthBytes);
  if (length > size - kLengthBytes) {
    const bool is_other_format = size > kLengthBytes && file.read(kLengthBytes, 1) != "{";
    if (is_other_format) fail_header(file, "no header at its start");
    fail_header(file, fmt::format("expected a header of {} bytes, but the file has {}", length, size));
  }
  if (length > kMaxModelJsonBytes) {
    fail_header(file, fmt::format("a header of {} bytes, expected at most {}", length, kMaxModelJsonBytes));
  }
  return file.read(kLengthBytes, static_cast<int64_t>(length));
}

std::optional<int64_t> whole_number(const json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > kMaxInteger) return std::nullopt;
  return value.get<int64_t>();
}

std::optional<std::vector<int64_t>> whole_numbers(const json& values) {
  if (!values.is_array()) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const auto& value : values) {
    const auto number = whole_number(value);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

void check_bytes(const MappedFile& file, const std::string& name, const Entry& entry) {
  if (entry.info.dtype == at::ScalarType::Undefined) return;
  const auto numel = checked_numel(entry.info.shape);
  if (numel && *numel * static_cast<int64_t>(c10::elementSize(entry.info.dtype)) == entry.bytes) return;
  fail_header(file, fmt::format("tensor {}: {} {} does not fit its {} bytes of data", name, entry.dtype_name,
                                shape_text(entry.info.shape), entry.bytes));
}

Entry parse_entry(const MappedFile& file, const std::string& name, const json& value, int64_t data_start) {
  const auto field = [&value](const char* key) { return value.is_object() ? value.value(key, json()) : json(); };
  const json dtype = field("dtype");
  const auto shape = whole_numbers(field("shape"));
  const auto offsets = whole_numbers(field("data_offsets"));
  if (!dtype.is_string() || !shape || !offsets || offsets->size() != 2) {
    fail_header(file, fmt::format("tensor {}: expected dtype, shape and data_offsets, got {}", name,
                                  json_text(value).substr(0, 120)));
  }
  const int64_t begin = offsets->front();
  const int64_t end = offsets->back();
  if (begin > end || end > file.size() - data_start) {
    fail_header(file, fmt::format("tensor {}: data_offsets [{}, {}], the data has {} bytes", name, begin, end,
                                  file.size() - data_start));
  }
  Entry entry{.info = {}, .dtype_name = dtype.get<std::string>(), .offset = data_start + begin, .bytes = end - begin};
  entry.info.dtype = dtype_from_safetensors(entry.dtype_name);
  entry.info.shape = *shape;
  check_bytes(file, name, entry);
  return entry;
}

std::map<std::string, std::string> parse_metadata(const MappedFile& file, const json& value) {
  std::map<std::string, std::string> metadata;
  if (!value.is_object()) fail_header(file, "__metadata__: expected an object of strings");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) fail_header(file, fmt::format("__metadata__: {}: expected a string", key));
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

void check_no_overlap(const MappedFile& file, const std::map<std::string, Entry>& entries) {
  std::vector<std::pair<int64_t, const std::string*>> starts;
  for (const auto& [name, entry] : entries) {
    if (entry.bytes > 0) starts.emplace_back(entry.offset, &name);
  }
  std::sort(starts.begin(), starts.end());
  for (size_t i = 1; i < starts.size(); ++i) {
    const Entry& before = entries.at(*starts[i - 1].second);
    if (starts[i].first < before.offset + before.bytes) {
      fail_header(file, fmt::format("tensors {} and {} overlap", *starts[i - 1].second, *starts[i].second));
    }
  }
}

Tensor load_tensor(const MappedFile& file, const std::string& name, const Entry& entry) {
  if (entry.info.dtype == at::ScalarType::Undefined) {
    fail(ErrorKind::model,
         fmt::format("{}: tensor {}: dtype {} is not supported", file.origin(), name, entry.dtype_name));
  }
  return elements_of(file.map(entry.offset, entry.bytes), entry.info.dtype).view(entry.info.shape);
}

/// Wide elements first, then by name: every tensor is then aligned to its element.
std::vector<TensorToWrite> in_file_order(const std::map<std::string, Tensor>& tensors) {
  std::vector<TensorToWrite> order;
  for (const auto& [name, tensor] : tensors) {
    order.push_back({name, {tensor.scalar_type(), tensor.sizes().vec()}, [tensor = tensor] { return tensor; }});
  }
  std::ranges::stable_sort(order, std::greater(),
                           [](const TensorToWrite& tensor) { return c10::elementSize(tensor.info.dtype); });
  return order;
}

json entry_of(const TensorInfo& info, int64_t begin) {
  return {{"dtype", dtype_to_safetensors(info.dtype)},
          {"shape", info.shape},
          {"data_offsets", {begin, begin + bytes_of(info)}}};
}

/// The length and the JSON, padded with spaces so that the data starts at a multiple of `alignment`.
std::string header_of(const std::vector<TensorToWrite>& order, const std::map<std::string, std::string>& metadata,
                      size_t alignment) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t end = 0;
  for (const auto& [name, info, make] : order) {
    header[name] = entry_of(info, end);
    end += bytes_of(info);
  }
  std::string text = json_text(header);
  text.resize((kLengthBytes + text.size() + alignment - 1) / alignment * alignment - kLengthBytes, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

void write_tensor(std::ostream& stream, const Tensor& tensor) {
  const Tensor dense = tensor.cpu().contiguous();
  stream.write(static_cast<const char*>(dense.const_data_ptr()), static_cast<std::streamsize>(dense.nbytes()));
}

}  // namespace

Safetensors::Safetensors(const std::filesystem::path& path) : StoredTensors(path.string()) {
  const auto file = std::make_shared<const MappedFile>(path);
  const std::string text = read_header_text(*file);
  const json document = parse_json_object(text, file->origin());
  const auto data_start = static_cast<int64_t>(kLengthBytes + text.size());
  std::map<std::string, Entry> entries;
  for (const auto& [name, value] : document.items()) {
    check_tensor_name(name, file->origin());
    if (name == "__metadata__") {
      metadata_ = parse_metadata(*file, value);
    } else {
      entries[name] = parse_entry(*file, name, value, data_start);
    }
  }
  check_no_overlap(*file, entries);
  for (const auto& [name, entry] : entries) {
    const bool as_stored = entry.info.dtype != at::ScalarType::Undefined && entry.info.dtype != at::kBool;
    add(
        name, entry.info, [file, name = name, entry = entry] { return load_tensor(*file, name, entry); },
        as_stored ? FilePlace{file, entry.offset} : FilePlace());
  }
}

std::shared_ptr<const Safetensors> open_safetensors(const std::filesystem::path& path) {
  return std::make_shared<const Safetensors>(path);
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata, Existing existing) {
  write_safetensors_in_order(path, in_file_order(tensors), metadata, existing, kLengthBytes);
}

int64_t write_safetensors_in_order(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                                   const std::map<std::string, std::string>& metadata, Existing existing,
                                   size_t alignment, const std::function<void(int64_t bytes)>& on_written) {
  AtomicFile file(path, existing);
  std::ofstream stream(file.temporary(), std::ios::binary);
  const auto check = [&] {
    if (!stream) fail_errno(ErrorKind::output, path.string(), "write");
  };
  check();
  const std::string header = header_of(tensors, metadata, alignment);
  stream << header;
  auto size = static_cast<int64_t>(header.size());
  for (const auto& [name, info, make] : tensors) {
    write_tensor(stream, make());
    check();
    size += bytes_of(info);
    if (on_written) on_written(bytes_of(info));
  }
  stream.close();
  check();
  file.commit();
  return size;
}

json parse_json_object(const std::string& text, const std::string& origin) {
  refuse_lfs_pointer(text, origin);
  if (nests_too_deeply(text)) {
    fail(ErrorKind::model, fmt::format("{}: JSON nested deeper than {}", origin, kMaxJsonDepth));
  }
  if (const auto key = duplicate_key(text)) {
    fail(ErrorKind::model, fmt::format("{}: duplicate key {}", origin, json_text(json(*key))));
  }
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) {  // also when parsing failed: the document is then `discarded`
    fail(ErrorKind::model, fmt::format("{}: expected a JSON object, got damaged or different text", origin),
         "download or copy the file again");
  }
  return document;
}

}  // namespace faststar
