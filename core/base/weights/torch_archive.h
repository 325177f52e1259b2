#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/base/weights/mapped_file.h"
#include "core/base/weights/pickle.h"
#include "core/base/weights/zip_archive.h"

namespace faststar {

/// What a file of torch.save holds: one pickle, and storages that it refers to by key.
struct TorchArchive {
  Pickle pickle;
  /// Where a storage's bytes lie. Throws Error(model) when there is none.
  std::function<FileRange(const std::string& key)> find_storage;
};

/// True when `start`, the first bytes of a file, are those of torch.save before 1.6, which torchvision's and lpips'
/// older downloads still have: pickles and raw storages in one stream.
bool is_legacy_torch_file(std::string_view start);

/// Reads either format; `file` must outlive the result. Throws Error(model) when the file is damaged, big-endian, or
/// not of torch.save.
TorchArchive read_torch_archive(const MappedFile& file);

/// The stream format alone. Source: torch/serialization.py `_legacy_save`.
TorchArchive read_legacy_torch_archive(const MappedFile& file);

}  // namespace faststar
