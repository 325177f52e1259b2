#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/weights/mapped_file.h"
#include "core/base/weights/pickle.h"
#include "core/base/weights/weights.h"

namespace faststar {

/// The place of some bytes in a file.
struct FileRange {
  int64_t offset = 0;
  int64_t bytes = 0;
};

/// What a pickle says about one storage.
struct TorchStorage {
  std::string class_name;  ///< "torch.FloatStorage"
  at::ScalarType dtype = at::ScalarType::Undefined;
  std::string key;
  int64_t elements = 0;
};

/// The storage that `value` refers to; nothing when it is something else.
/// Source: torch/serialization.py `persistent_id`, in `_save` and in `_legacy_save`.
std::optional<TorchStorage> torch_storage(const Pickle& pickle, const PickleValue& value);

/// What a torch.save file holds: one pickle, and the storages that it refers to by key.
struct TorchArchive {
  Pickle pickle;
  /// The bytes of a storage. Throws Error(model) when there is none.
  std::function<FileRange(const std::string& key)> find_storage;
};

/// True when `start`, the first bytes of a file, are those of torch.save: a zip file, or the format before 1.6 (pickles
/// and raw storages in one stream), which older downloads of torchvision and lpips still have.
bool is_torch_file(std::string_view start);

/// Reads either format; `file` must outlive the result. Throws Error(model) when the file is damaged, big-endian or not
/// from torch.save.
TorchArchive read_torch_archive(const MappedFile& file);

/// Opens the state dict in a torch.save file: the first of these that is a dict with tensors: file["vae"],
/// file["trainer"]["gpt_fsdp"], file["state_dict"], file["model"], file. Nothing in the file is executed; what is not a
/// tensor is skipped. Tensors are views of the file's pages, loaded when touched. Every tensor is checked against its
/// storage. Throws Error(model) when the file is damaged or big-endian.
std::shared_ptr<const TensorSource> open_torch_file(const std::filesystem::path& path);

}  // namespace faststar
