#include "core/base/weights/torch_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/error.h"

namespace faststar {
namespace {

using Kind = PickleValue::Kind;

/// What a torch.save pickle says about one tensor; not checked against the storage yet.
struct TorchTensor {
  TensorInfo info;         ///< dtype Undefined when the stored one is unknown
  std::string dtype_name;  ///< as stored: "torch.FloatStorage", "torch.uint16"
  std::vector<int64_t> strides;
  int64_t offset = 0;  ///< of the first element, in elements
  TorchStorage storage;
};

/// The arguments when `value` is the result of calling `torch._utils.<function>` with at least `count`.
const PickleValue* arguments_of(const Pickle& pickle, const PickleValue& value, std::string_view function,
                                size_t count) {
  if (value.kind != Kind::object || pickle[value.items[0]].text != "torch._utils." + std::string(function)) {
    return nullptr;
  }
  const PickleValue& arguments = pickle[value.items[1]];
  return arguments.kind == Kind::sequence && arguments.items.size() >= count ? &arguments : nullptr;
}

std::optional<std::vector<int64_t>> integers_of(const Pickle& pickle, const PickleValue& value) {
  if (value.kind != Kind::sequence) return std::nullopt;
  std::vector<int64_t> integers;
  for (const PickleRef ref : value.items) {
    if (pickle[ref].kind != Kind::integer) return std::nullopt;
    integers.push_back(pickle[ref].integer);
  }
  return integers;
}

/// (storage, offset, shape, strides, ...), which every _rebuild_tensor starts with.
std::optional<TorchTensor> read_tensor(const Pickle& pickle, const PickleValue& arguments) {
  const auto storage = torch_storage(pickle, pickle[arguments.items[0]]);
  const PickleValue& offset = pickle[arguments.items[1]];
  const auto shape = integers_of(pickle, pickle[arguments.items[2]]);
  const auto strides = integers_of(pickle, pickle[arguments.items[3]]);
  if (!storage || offset.kind != Kind::integer || !shape || !strides) return std::nullopt;
  return TorchTensor{{storage->dtype, *shape}, storage->class_name, *strides, offset.integer, *storage};
}

/// The tensor (or parameter) that `value` would be in Python; nothing when it is something else.
/// Source: torch/_utils.py `_rebuild_tensor` and its versions.
std::optional<TorchTensor> torch_tensor(const Pickle& pickle, const PickleValue& value) {
  const PickleValue* data = &value;
  if (const auto* parameter = arguments_of(pickle, value, "_rebuild_parameter", 1)) {
    data = &pickle[parameter->items[0]];
  }
  if (const auto* arguments = arguments_of(pickle, *data, "_rebuild_tensor_v2", 6)) {
    return read_tensor(pickle, *arguments);
  }
  // What torch 0.1 called.
  if (const auto* arguments = arguments_of(pickle, *data, "_rebuild_tensor", 4)) return read_tensor(pickle, *arguments);
  // v3 stores dtypes that have no storage class of their own (uint16, float8): none that we read.
  if (const auto* arguments = arguments_of(pickle, *data, "_rebuild_tensor_v3", 7)) {
    auto tensor = read_tensor(pickle, *arguments);
    if (tensor) tensor->dtype_name = pickle[arguments->items[6]].text;
    return tensor;
  }
  return std::nullopt;
}

/// Where training scripts put the state dict, the most specific first.
const std::array<std::vector<std::string_view>, 5> kStateDictPaths = {
    {{"vae"}, {"trainer", "gpt_fsdp"}, {"state_dict"}, {"model"}, {}}};

const PickleValue* lookup(const Pickle& pickle, const PickleValue& dict, std::string_view key) {
  for (const auto& [name, value] : dict.entries) {
    if (pickle[name].kind == Kind::text && pickle[name].text == key) return &pickle[value];
  }
  return nullptr;
}

bool holds_tensors(const Pickle& pickle, const PickleValue& dict) {
  return std::any_of(dict.entries.begin(), dict.entries.end(), [&pickle](const auto& entry) {
    return pickle[entry.first].kind == Kind::text && torch_tensor(pickle, pickle[entry.second]).has_value();
  });
}

const PickleValue& find_state_dict(const Pickle& pickle, const MappedFile& file) {
  for (const auto& path : kStateDictPaths) {
    const PickleValue* dict = &pickle.root();
    for (const auto key : path) {
      if (dict != nullptr) dict = lookup(pickle, *dict, key);
    }
    if (dict != nullptr && holds_tensors(pickle, *dict)) return *dict;
  }
  fail(ErrorKind::model,
       fmt::format("{}: expected tensors by name, alone or under 'vae', 'trainer.gpt_fsdp', 'state_dict' or 'model'",
                   file.origin()),
       "save the state_dict, not the module");
}

/// One past the last element that the strides reach; nothing for what no real tensor has.
std::optional<int64_t> reach_of(const TorchTensor& tensor) {
  if (tensor.strides.size() != tensor.info.shape.size() || tensor.offset < 0) return std::nullopt;
  int64_t reach = tensor.offset;
  for (size_t i = 0; i < tensor.strides.size(); ++i) {
    int64_t step = 0;
    const int64_t last = std::max<int64_t>(tensor.info.shape[i] - 1, 0);
    if (tensor.strides[i] < 0 || __builtin_mul_overflow(last, tensor.strides[i], &step) ||
        __builtin_add_overflow(reach, step, &reach)) {
      return std::nullopt;
    }
  }
  if (__builtin_add_overflow(reach, 1, &reach)) return std::nullopt;
  return reach;
}

/// Whether shape, strides and offset stay inside the storage, and the storage inside its zip entry.
bool fits(const TorchTensor& tensor, int64_t entry_bytes) {
  const auto numel = checked_numel(tensor.info.shape);
  const auto reach = reach_of(tensor);
  if (!numel || !reach || tensor.storage.elements < 0) return false;
  const auto width = static_cast<int64_t>(c10::elementSize(tensor.info.dtype));
  if (tensor.storage.elements > entry_bytes / width) return false;
  // An expanded tensor (stride 0) could claim any size; no weight is stored so.
  return *numel == 0 || (*reach <= tensor.storage.elements && *numel <= tensor.storage.elements);
}

Tensor load_tensor(const MappedFile& file, const std::string& name, const TorchTensor& tensor, const FileRange& bytes) {
  const at::ScalarType dtype = tensor.info.dtype;
  if (dtype == at::ScalarType::Undefined) {
    fail(ErrorKind::model,
         fmt::format("{}: tensor {}: dtype {} is not supported", file.origin(), name, tensor.dtype_name));
  }
  const int64_t storage_bytes = tensor.storage.elements * static_cast<int64_t>(c10::elementSize(dtype));
  const Tensor storage = elements_of(file.map(bytes.offset, storage_bytes), dtype);
  if (checked_numel(tensor.info.shape) == 0) return at::empty(tensor.info.shape, storage.options());
  return storage.as_strided(tensor.info.shape, tensor.strides, tensor.offset);
}

/// Where the elements lie when they do so in the order of the shape.
FilePlace place_of(const std::shared_ptr<const MappedFile>& file, const TorchTensor& tensor, const FileRange& bytes) {
  const at::ScalarType dtype = tensor.info.dtype;
  if (dtype == at::ScalarType::Undefined || dtype == at::kBool) return {};
  int64_t dense = 1;
  for (size_t i = tensor.info.shape.size(); i-- > 0;) {
    if (tensor.info.shape[i] != 1 && tensor.strides[i] != dense) return {};
    dense *= tensor.info.shape[i];
  }
  return {file, bytes.offset + tensor.offset * static_cast<int64_t>(c10::elementSize(dtype))};
}

}  // namespace

std::shared_ptr<const TensorSource> open_torch_file(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const auto tensors = std::make_shared<StoredTensors>(file->origin());
  const TorchArchive archive = read_torch_archive(*file);
  const Pickle& pickle = archive.pickle;
  for (const auto& [key, value] : find_state_dict(pickle, *file).entries) {
    const auto tensor = torch_tensor(pickle, pickle[value]);
    if (pickle[key].kind != Kind::text || !tensor) continue;
    const std::string& name = pickle[key].text;
    check_tensor_name(name, file->origin());
    const FileRange bytes = archive.find_storage(tensor->storage.key);
    if (tensor->info.dtype != at::ScalarType::Undefined && !fits(*tensor, bytes.bytes)) {
      fail(ErrorKind::model,
           fmt::format("{}: tensor {}: shape {} with strides {} from {} exceeds its {} bytes", file->origin(), name,
                       shape_text(tensor->info.shape), shape_text(tensor->strides), tensor->offset, bytes.bytes));
    }
    tensors->add(
        name, tensor->info, [file, name, tensor = *tensor, bytes] { return load_tensor(*file, name, tensor, bytes); },
        place_of(file, *tensor, bytes));
  }
  return tensors;
}

}  // namespace faststar
