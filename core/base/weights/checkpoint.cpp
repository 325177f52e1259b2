#include "core/base/weights/checkpoint.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/sharded.h"
#include "core/base/weights/torch_file.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using Source = std::shared_ptr<const TensorSource>;

/// Lists tensors under other names than the file has.
class RenamedSource final : public TensorSource {
 public:
  /// `stored_names`: name -> name in `source`.
  RenamedSource(Source source, std::map<std::string, std::string> stored_names)
      : source_(std::move(source)), stored_names_(std::move(stored_names)) {
    for (const auto& [name, stored] : stored_names_) infos_[name] = source_->tensors().at(stored);
  }

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override {
    const auto found = stored_names_.find(name);
    if (found == stored_names_.end()) fail_missing(*this, name);
    return source_->read(found->second, info, device);
  }
  std::string origin() const override { return source_->origin(); }

 private:
  Source source_;
  std::map<std::string, std::string> stored_names_;
  std::map<std::string, TensorInfo> infos_;
};

std::string name_of_today(const std::string& stored) {
  constexpr std::string_view kOldHead = "semantic_head.";
  if (stored.starts_with(kOldHead)) return "semantic_head2." + stored.substr(kOldHead.size());
  if (stored == "encoder.embed_tokens.weight") return "shared.weight";
  return stored;
}

Source with_names_of_today(const Source& source) {
  std::map<std::string, std::string> stored_names;
  bool any_differs = false;
  for (const auto& [stored, info] : source->tensors()) {
    const std::string name = name_of_today(stored);
    any_differs |= name != stored;
    const bool both_stored = name != stored && source->tensors().contains(name);
    if (!both_stored) stored_names[name] = stored;
  }
  return any_differs ? std::make_shared<const RenamedSource>(source, std::move(stored_names)) : source;
}

std::string start_of(const fs::path& path) {
  const MappedFile file(path);
  return file.read(0, std::min<int64_t>(file.size(), 64));
}

Source open_file(const fs::path& path) {
  const std::string start = start_of(path);
  if (is_torch_file(start)) return open_torch_file(path);
  if (start.starts_with("version https://git-lfs")) {
    fail(ErrorKind::model, fmt::format("{}: a Git LFS pointer, not the weights themselves", path.string()),
         "git lfs pull");
  }
  constexpr size_t kSafetensorsBrace = 8;
  const bool json_follows = start.size() > kSafetensorsBrace && start[kSafetensorsBrace] == '{';
  if (json_follows || path.extension() == ".safetensors") return open_safetensors(path);
  fail(ErrorKind::model,
       fmt::format("{}: expected a safetensors or torch.save file, got something else", path.string()),
       "download or copy it again, or name another file");
}

std::vector<fs::path> safetensors_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".safetensors") files.push_back(entry->path());
  }
  return files;
}

Source open_folder(const fs::path& folder) {
  const auto has = [&folder](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  };
  const char* const safetensors_index = "model.safetensors.index.json";
  const char* const torch_index = "pytorch_model.bin.index.json";
  if (has(safetensors_index)) return std::make_shared<const ShardedSource>(folder / safetensors_index, open_file);
  if (has("model.safetensors")) return open_file(folder / "model.safetensors");
  const auto files = safetensors_in(folder);
  if (files.size() == 1) return open_file(files.front());
  if (has(torch_index)) return std::make_shared<const ShardedSource>(folder / torch_index, open_file);
  if (has("pytorch_model.bin")) return open_file(folder / "pytorch_model.bin");
  fail(ErrorKind::model,
       fmt::format("{}: expected {}, one .safetensors file or pytorch_model.bin, got {} .safetensors files",
                   folder.string(), safetensors_index, files.size()),
       "name the file, or the folder that holds the index");
}

}  // namespace

Source open_checkpoint(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail(ErrorKind::model, fmt::format("{}: no such file or folder", path.string()),
         "--model names the folder with the weights");
  }
  return with_names_of_today(fs::is_directory(path, ignored) ? open_folder(path) : open_file(path));
}

}  // namespace faststar
