#include "core/base/weights/torch_tensor.h"

#include <array>
#include <string_view>
#include <utility>

namespace faststar {
namespace {

using Kind = PickleValue::Kind;

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 10> kStorages = {{{"DoubleStorage", at::kDouble},
                                                                                    {"FloatStorage", at::kFloat},
                                                                                    {"HalfStorage", at::kHalf},
                                                                                    {"BFloat16Storage", at::kBFloat16},
                                                                                    {"LongStorage", at::kLong},
                                                                                    {"IntStorage", at::kInt},
                                                                                    {"ShortStorage", at::kShort},
                                                                                    {"CharStorage", at::kChar},
                                                                                    {"ByteStorage", at::kByte},
                                                                                    {"BoolStorage", at::kBool}}};

/// "torch.FloatStorage", or "torch.cuda.FloatStorage" as torch before 1.10 wrote it.
at::ScalarType dtype_of_storage(std::string_view name) {
  for (const std::string_view module : {"torch.cuda.", "torch."}) {
    if (!name.starts_with(module)) continue;
    for (const auto& [known, dtype] : kStorages) {
      if (name.substr(module.size()) == known) return dtype;
    }
  }
  return at::ScalarType::Undefined;
}

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
  TorchTensor tensor;
  const PickleValue& offset = pickle[arguments.items[1]];
  const auto shape = integers_of(pickle, pickle[arguments.items[2]]);
  const auto strides = integers_of(pickle, pickle[arguments.items[3]]);
  const auto storage = torch_storage(pickle, pickle[arguments.items[0]]);
  if (!storage) return std::nullopt;
  tensor.dtype_name = storage->class_name;
  tensor.info.dtype = storage->dtype;
  tensor.storage = storage->key;
  tensor.storage_elements = storage->elements;
  if (offset.kind != Kind::integer || !shape || !strides) return std::nullopt;
  tensor.offset = offset.integer;
  tensor.info.shape = *shape;
  tensor.strides = *strides;
  return tensor;
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

}  // namespace faststar
