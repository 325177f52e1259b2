#include "core/base/weights/sharded.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/weights/json_document.h"
#include "core/base/weights/mapped_file.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kLongestIndex = 100'000'000;

std::map<std::string, std::string> read_weight_map(const fs::path& index) {
  const MappedFile file(index);
  if (file.size() > kLongestIndex) {
    fail(ErrorKind::model, fmt::format("{}: {} bytes, too long for an index", file.origin(), file.size()));
  }
  const auto document = parse_json_object(file.read(0, file.size()), file.origin());
  const auto found = document.find("weight_map");
  if (found == document.end() || !found->is_object()) {
    fail(ErrorKind::model, fmt::format("{}: expected an object 'weight_map'", file.origin()));
  }
  std::map<std::string, std::string> weight_map;
  for (const auto& [tensor, shard] : found->items()) {
    check_tensor_name(tensor, file.origin());
    if (!shard.is_string()) fail(ErrorKind::model, fmt::format("{}: {}: expected a file name", file.origin(), tensor));
    weight_map[tensor] = shard.get<std::string>();
  }
  return weight_map;
}

/// An index may come from anywhere: it must not lead outside its folder.
fs::path shard_path(const fs::path& index, const std::string& shard) {
  const bool plain = !shard.empty() && shard != "." && shard != ".." && shard.find('/') == std::string::npos &&
                     shard.find('\0') == std::string::npos;
  if (!plain) {
    fail(ErrorKind::model, fmt::format("{}: shard {}: expected a file name without a folder", index.string(),
                                       nlohmann::json(shard).dump()));
  }
  const fs::path path = index.parent_path() / shard;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail(ErrorKind::model, fmt::format("{}: is missing, {} names it", path.string(), index.filename().string()),
         "download or copy the rest of the checkpoint");
  }
  return path;
}

}  // namespace

ShardedSource::ShardedSource(const fs::path& index, const OpenShard& open_shard)
    : origin_(index.parent_path().string()) {
  std::map<std::string, std::shared_ptr<const TensorSource>> opened;
  for (const auto& [tensor, name] : read_weight_map(index)) {
    auto& shard = opened[name];
    if (!shard) shard = open_shard(shard_path(index, name));
    const auto found = shard->tensors().find(tensor);
    if (found == shard->tensors().end()) {
      fail(ErrorKind::model,
           fmt::format("{}: tensor {} is missing, {} promises it", shard->origin(), tensor, index.filename().string()));
    }
    infos_[tensor] = found->second;
    shard_of_[tensor] = shard;
  }
}

Tensor ShardedSource::read(const std::string& name, const TensorInfo& info, at::Device device) const {
  const auto found = shard_of_.find(name);
  if (found == shard_of_.end()) fail_missing(*this, name);
  return found->second->read(name, info, device);
}

}  // namespace faststar
