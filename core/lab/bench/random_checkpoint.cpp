#include "core/lab/bench/random_checkpoint.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/weights/safetensors.h"
#include "core/pipeline/checkpoints.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

constexpr int64_t kMostShardBytes = 2'700'000'000;  // the official transformer has seven shards

std::vector<TensorToWrite> random_tensors(const std::shared_ptr<const TensorSource>& source,
                                          const TensorRequests& requests, at::ScalarType dtype, at::Device device) {
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, wanted] : requests) {
    const TensorInfo info{dtype, wanted.shape};
    tensors.push_back({name, info, [source, name = name, info, device] { return source->read(name, info, device); }});
  }
  return tensors;
}

std::vector<std::vector<TensorToWrite>> in_shards(std::vector<TensorToWrite> tensors) {
  std::vector<std::vector<TensorToWrite>> shards(1);
  int64_t bytes = 0;
  for (TensorToWrite& tensor : tensors) {
    bytes += bytes_of(tensor.info);
    if (bytes > kMostShardBytes && !shards.back().empty()) {
      shards.emplace_back();
      bytes = bytes_of(tensor.info);
    }
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

void write_one_file(const fs::path& file, const std::vector<TensorToWrite>& tensors) {
  write_safetensors_in_order(file, tensors, {{"format", "pt"}}, Existing::refuse, /*alignment=*/8);
}

void write_shards(const fs::path& folder, std::vector<TensorToWrite> tensors) {
  make_folders(folder);
  const auto shards = in_shards(std::move(tensors));
  nlohmann::json index;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_one_file(folder / name, shards[i]);
    for (const TensorToWrite& tensor : shards[i]) index["weight_map"][tensor.name] = name;
  }
  write_file(folder / "model.safetensors.index.json", index.dump(1) + "\n", Existing::refuse);
}

/// Where the parts of such a model go.
ModelLayout layout_for(const ModelFolder& model, const fs::path& folder) {
  const std::string name = model.preset.file.stem().string();
  if (name == "720p" || name == "480p") {
    return {.preset = {},
            .transformer = folder / fmt::format("infinitystar_8b_{}_weights", name),
            .vae = folder / "infinitystar_videovae.pth",
            .t5 = folder / "text_encoder" / "flan-t5-xl-official"};
  }
  ModelLayout own = own_layout(folder);
  own.preset = folder / "model.yaml";
  return own;
}

}  // namespace

void write_random_checkpoint(const ModelFolder& model, const fs::path& folder, at::Device device) {
  make_folders(folder);
  if (!fs::is_empty(folder)) {
    fail(ErrorKind::output, fmt::format("{}: is not empty", folder.string()), "name another folder");
  }
  ModelFolder random = model;
  random.random_weights = true;
  const Checkpoints open = open_model(random);
  const ModelLayout layout = layout_for(model, folder);
  write_shards(layout.transformer,
               random_tensors(open.transformer, transformer_requests(open, at::kBFloat16), at::kBFloat16, device));
  write_shards(layout.t5, random_tensors(open.t5, text_encoder_requests(open, at::kFloat), at::kFloat, device));
  write_one_file(layout.vae, random_tensors(open.vae, vae_requests(open, at::kFloat, VaeParts::encoder_and_decoder),
                                            at::kFloat, device));
  copy_file(open.vocabulary, layout.vocabulary(), Existing::refuse);
  if (!layout.preset.empty()) copy_file(model.preset.file, layout.preset, Existing::refuse);
}

}  // namespace faststar
