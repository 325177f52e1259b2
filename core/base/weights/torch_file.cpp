#include "core/base/weights/torch_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/weights/torch_archive.h"

namespace faststar {
namespace {

using Kind = PickleValue::Kind;

/// Where training scripts put the state dict, the most specific first.
const std::array<std::vector<std::string_view>, 5> kStateDictPaths = {
    {{"vae"}, {"trainer", "gpt_fsdp"}, {"state_dict"}, {"model"}, {}}};

/// dict[key]; null when `dict` is not a dict or has no such key.
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
  if (!numel || !reach || tensor.storage_elements < 0) return false;
  const auto width = static_cast<int64_t>(c10::elementSize(tensor.info.dtype));
  if (tensor.storage_elements > entry_bytes / width) return false;
  // An expanded tensor (stride 0) could claim any size; no weight is stored so.
  return *numel == 0 || (*reach <= tensor.storage_elements && *numel <= tensor.storage_elements);
}

}  // namespace

TorchFile::TorchFile(const std::filesystem::path& path) : file_(path) {
  const TorchArchive archive = read_torch_archive(file_);
  const Pickle& pickle = archive.pickle;
  for (const auto& [key, value] : find_state_dict(pickle, file_).entries) {
    auto tensor = torch_tensor(pickle, pickle[value]);
    if (pickle[key].kind != Kind::text || !tensor) continue;
    const std::string& tensor_name = pickle[key].text;
    check_tensor_name(tensor_name, file_.origin());
    const FileRange bytes = archive.find_storage(tensor->storage);
    if (tensor->info.dtype != at::ScalarType::Undefined && !fits(*tensor, bytes.bytes)) {
      fail(ErrorKind::model, fmt::format("{}: tensor {}: shape {} with strides {} from {} leaves its {} bytes",
                                         file_.origin(), tensor_name, shape_text(tensor->info.shape),
                                         shape_text(tensor->strides), tensor->offset, bytes.bytes));
    }
    infos_[tensor_name] = tensor->info;
    stored_[tensor_name] = {std::move(*tensor), bytes};
  }
}

Tensor TorchFile::read(const std::string& name, const TensorInfo&, at::Device) const {
  const auto found = stored_.find(name);
  if (found == stored_.end()) fail_missing(*this, name);
  const auto& [tensor, bytes] = found->second;
  const at::ScalarType dtype = tensor.info.dtype;
  if (dtype == at::ScalarType::Undefined) {
    fail(ErrorKind::model,
         fmt::format("{}: tensor {}: dtype {} is not supported", file_.origin(), name, tensor.dtype_name));
  }
  const int64_t storage_bytes = tensor.storage_elements * static_cast<int64_t>(c10::elementSize(dtype));
  const Tensor storage = elements_of(file_.map(bytes.offset, storage_bytes), dtype);
  if (checked_numel(tensor.info.shape) == 0) return at::empty(tensor.info.shape, storage.options());
  return storage.as_strided(tensor.info.shape, tensor.strides, tensor.offset);
}

bool is_torch_file(std::string_view start) { return start.starts_with("PK\3\4") || is_legacy_torch_file(start); }

std::shared_ptr<const TensorSource> open_torch_file(const std::filesystem::path& path) {
  return std::make_shared<const TorchFile>(path);
}

}  // namespace faststar
