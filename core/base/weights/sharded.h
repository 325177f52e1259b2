#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/weights/tensor_source.h"

namespace faststar {

/// Opens one file of a sharded checkpoint.
using OpenShard = std::function<std::shared_ptr<const TensorSource>(const std::filesystem::path&)>;

/// Tensors spread over files by an index (Hugging Face `*.index.json`: `weight_map` tensor -> file name).
/// Opening reads the shards' headers; their data stays on disk until a tensor is read.
class ShardedSource final : public TensorSource {
 public:
  /// `index` lies beside its shards. Throws Error(model) when it is damaged, names a file outside its
  /// folder, or a shard or a tensor that it names is not there.
  ShardedSource(const std::filesystem::path& index, const OpenShard& open_shard);

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override;
  std::string origin() const override { return origin_; }

 private:
  std::string origin_;  // the folder
  std::map<std::string, TensorInfo> infos_;
  std::map<std::string, std::shared_ptr<const TensorSource>> shard_of_;  // by tensor
};

}  // namespace faststar
