#pragma once
#include <optional>
#include <string>

#include "core/base/weights/pickle.h"
#include "core/base/weights/tensor_source.h"

namespace faststar {

/// What a torch.save pickle says about one tensor; nothing in it is checked against the storage's bytes yet.
struct TorchTensor {
  TensorInfo info;         ///< dtype Undefined when we do not know the stored one
  std::string dtype_name;  ///< as stored: "torch.FloatStorage", "torch.uint16"
  std::vector<int64_t> strides;
  int64_t offset = 0;            ///< of the first element, in elements
  std::string storage;           ///< its key in the archive
  int64_t storage_elements = 0;  ///< its claimed size
};

/// What a pickle says about one storage.
struct TorchStorage {
  std::string class_name;  ///< "torch.FloatStorage"
  at::ScalarType dtype = at::ScalarType::Undefined;
  std::string key;
  int64_t elements = 0;
};

/// The storage that `value` refers to; nothing when it is something else.
/// Source: torch/serialization.py `persistent_id`, today's and that of `_legacy_save`.
std::optional<TorchStorage> torch_storage(const Pickle& pickle, const PickleValue& value);

/// The tensor (or parameter) that `value` would be in Python; nothing when it is something else.
/// Source: torch/_utils.py `_rebuild_tensor` and its versions.
std::optional<TorchTensor> torch_tensor(const Pickle& pickle, const PickleValue& value);

}  // namespace faststar
