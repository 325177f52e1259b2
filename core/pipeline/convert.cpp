#include "core/pipeline/convert.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/base/weights/conversion.h"
#include "core/pipeline/checkpoints.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// One file of the folder.
struct ConvertedPart {
  fs::path name;    ///< in the folder
  fs::path origin;  ///< file or folder of the source
  std::shared_ptr<const TensorSource> source;
  TensorRequests requests;
  std::vector<FusedLayers> fused = {};
};

std::vector<ConvertedPart> parts_of(const ModelLayout& layout, const Checkpoints& open) {
  const ModelLayout names = own_layout("");
  return {{names.transformer / "model.safetensors", layout.transformer, open.transformer,
           transformer_requests(open, at::kBFloat16), fused_layers(open.star_architecture)},
          {"vae.safetensors", layout.vae, open.vae, vae_requests(open, at::kBFloat16, VaeParts::encoder_and_decoder)},
          {names.t5 / "model.safetensors", layout.t5, open.t5, text_encoder_requests(open, at::kBFloat16)}};
}

/// The narrower of what the source has and what the network takes: widening is exact and can wait.
TensorInfo narrower(const ConvertedPart& part, const std::string& name) {
  TensorInfo info = part.requests.at(name);
  const at::ScalarType stored = part.source->tensors().at(name).dtype;
  if (c10::elementSize(stored) < c10::elementSize(info.dtype)) info.dtype = stored;
  return info;
}

TensorToWrite one_tensor(const ConvertedPart& part, const std::string& name) {
  const TensorInfo info = narrower(part, name);
  return {name, info, [source = part.source, name, info] { return source->read(name, info, at::kCPU).to(info.dtype); }};
}

/// The tensors that begin with the first part of the layer, one below the other; nothing when one of them is missing or
/// differs in dtype.
std::optional<TensorToWrite> fused_tensor(const ConvertedPart& part, const FusedLayers& layers,
                                          const std::string& before, const std::string& after) {
  TensorToWrite fused{.name = before + layers.name + after, .info = {}, .make = {}};
  std::vector<TensorToWrite> pieces;
  for (const auto& [layer, rows] : layers.parts) {
    const std::string name = before + layer + after;
    if (!part.requests.contains(name)) return std::nullopt;
    pieces.push_back(one_tensor(part, name));
    if (pieces.back().info.dtype != pieces.front().info.dtype) return std::nullopt;
    if (pieces.size() == 1) fused.info = {pieces.front().info.dtype, pieces.front().info.shape};
    if (pieces.size() > 1) fused.info.shape.front() += rows;
  }
  fused.make = [pieces] {
    std::vector<Tensor> rows;
    for (const TensorToWrite& piece : pieces) rows.push_back(piece.make());
    return at::cat(rows);
  };
  return fused;
}

/// All tensors of a part, parts of fused ones once.
std::vector<TensorToWrite> tensors_of(const ConvertedPart& part) {
  std::map<std::string, TensorToWrite> tensors;
  for (const auto& [name, wanted] : part.requests) tensors[name] = one_tensor(part, name);
  for (const auto& [name, wanted] : part.requests) {
    for (const FusedLayers& layers : part.fused) {
      const auto split = around_layer(name, layers.parts.front().first);
      auto fused = split ? fused_tensor(part, layers, split->first, split->second) : std::nullopt;
      if (!fused) continue;
      for (const auto& [layer, rows] : layers.parts) tensors.erase(split->first + layer + split->second);
      tensors[fused->name] = std::move(*fused);
    }
  }
  std::vector<TensorToWrite> sorted;
  for (auto& [name, tensor] : tensors) sorted.push_back(std::move(tensor));
  return sorted;
}

/// A matrix in a layer of the transformer; embeddings and heads stay as they are.
bool is_layer_matrix(const TensorToWrite& tensor) {
  return tensor.name.starts_with("block") && tensor.name.ends_with("_proj.weight");
}

/// Such a matrix in 8 bits, and its scales. It is rounded once for both: they need not be written one after the
/// other.
std::vector<TensorToWrite> in_8_bits(const TensorToWrite& matrix) {
  const auto scales = std::make_shared<Tensor>();
  const auto rounded = [make = matrix.make] { return quantize_rows(make().to(at::kBFloat16)); };
  const TensorInfo values{at::kFloat8_e4m3fn, matrix.info.shape};
  return {{matrix.name, values,
           [rounded, scales] {
             const ScaledRows rows = rounded();
             *scales = rows.scale.flatten();
             return rows.values;
           }},
          {scale_name(matrix.name), {at::kFloat, {matrix.info.shape.front()}}, [rounded, scales] {
             return scales->defined() ? *scales : rounded().scale.flatten();
           }}};
}

std::vector<TensorToWrite> tensors_of(const ConvertedPart& part, const ConversionPlan& plan) {
  std::vector<TensorToWrite> tensors;
  for (TensorToWrite& tensor : tensors_of(part)) {
    if (plan.linears == LinearPrecision::fp8 && is_layer_matrix(tensor)) {
      for (TensorToWrite& half : in_8_bits(tensor)) tensors.push_back(std::move(half));
    } else {
      tensors.push_back(std::move(tensor));
    }
  }
  return tensors;
}

/// The files of a checkpoint with their bytes.
std::map<std::string, int64_t> files_at(const fs::path& origin) {
  std::map<std::string, int64_t> files;
  std::error_code ignored;
  if (fs::is_regular_file(origin, ignored)) {
    files[origin.filename().string()] = static_cast<int64_t>(fs::file_size(origin, ignored));
  }
  for (fs::directory_iterator entry(origin, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    std::error_code unknown;
    if (!entry->is_regular_file(unknown)) continue;
    files[entry->path().filename().string()] = static_cast<int64_t>(entry->file_size(unknown));
  }
  return files;
}

Conversion conversion_of(const ConvertedPart& part, const ConversionPlan& plan) {
  return {.precision = plan.linears == LinearPrecision::fp8 ? "fp8" : "bf16",
          .source = part.origin.string(),
          .files = files_at(part.origin),
          .fingerprint = fingerprint(*part.source),
          .fused = part.fused};
}

void refuse_converted(const std::vector<ConvertedPart>& parts) {
  for (const ConvertedPart& part : parts) {
    if (const Conversion* const earlier = part.source->conversion()) {
      fail(ErrorKind::model,
           fmt::format("{}: converted already, to {} from {}", part.origin.string(), earlier->precision,
                       earlier->source),
           "pass the folder it was converted from");
    }
  }
}

fs::path absolute_folder(const fs::path& folder) {
  const fs::path clean = fs::absolute(folder / ".").lexically_normal();
  return clean.has_filename() ? clean : clean.parent_path();  // without the last slash
}

/// True when `folder` holds what an earlier conversion wrote.
bool is_converted_model(const fs::path& folder) {
  const fs::path file = own_layout(folder).transformer / "model.safetensors";
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) && open_checkpoint(file)->conversion() != nullptr;
}

/// Throws Error(output) unless the folder may be made, or replaced.
void check_target(const fs::path& folder, Existing existing) {
  const auto refuse = [&](const std::string& why, const std::string& hint) {
    fail(ErrorKind::output, fmt::format("{}: {}", folder.string(), why), hint);
  };
  std::error_code ignored;
  if (!fs::is_directory(folder.parent_path(), ignored)) {
    refuse(fmt::format("the folder {} does not exist", folder.parent_path().string()),
           "mkdir -p " + shell_quoted(folder.parent_path().string()));
  }
  if (!fs::exists(fs::symlink_status(folder, ignored)) || fs::is_empty(folder, ignored)) return;
  if (existing == Existing::refuse) refuse("already exists", "use --overwrite to replace it, or name another one");
  if (!is_converted_model(folder)) {
    refuse("exists and is not a converted model: --overwrite replaces nothing else", "use -o to name another folder");
  }
}

void check_room(const fs::path& folder, int64_t needed) {
  constexpr double kGigabyte = 1e9;
  std::error_code unknown;  // then writing tells
  const fs::space_info space = fs::space(folder.parent_path(), unknown);
  if (unknown || static_cast<int64_t>(space.available) >= needed) return;
  fail(ErrorKind::output,
       fmt::format("{}: the disk is full: {:.1f} GB needed, {:.1f} GB free", folder.parent_path().string(),
                   static_cast<double>(needed) / kGigabyte, static_cast<double>(space.available) / kGigabyte),
       "use -o to write to another disk");
}

void copy_small_files(const ModelFolder& model, const fs::path& folder) {
  copy_file(model.preset.file, folder / "model.yaml", Existing::refuse);
  copy_file(model.layout.vocabulary(), own_layout(folder).vocabulary(), Existing::refuse);
  const fs::path config = model.layout.t5 / "config.json";
  std::error_code ignored;
  if (fs::exists(config, ignored)) copy_file(config, folder / "t5" / "config.json", Existing::refuse);
}

}  // namespace

int64_t convert_model(const ModelFolder& model, const ConversionPlan& plan, Progress& progress) {
  const c10::InferenceMode inference;
  const std::vector<ConvertedPart> parts = parts_of(model.layout, open_model(model));
  refuse_converted(parts);
  const fs::path folder = absolute_folder(plan.folder);
  check_target(folder, plan.existing);

  std::vector<std::vector<TensorToWrite>> tensors;
  int64_t needed = 0;
  for (const ConvertedPart& part : parts) {
    tensors.push_back(tensors_of(part, plan));
    for (const TensorToWrite& tensor : tensors.back()) needed += bytes_of(tensor.info);
  }
  check_room(folder, needed);
  progress.plan(Stage::convert, static_cast<double>(needed));

  remove_leftovers(folder);
  TemporaryPath made(temporary_name(folder));
  do {
    make_folders(made.path());
  } while (!made.hold());  // another process took it for a leftover
  int64_t written = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const fs::path file = made.path() / parts[i].name;
    make_folders(file.parent_path());
    written += write_converted(file, std::move(tensors[i]), conversion_of(parts[i], plan), [&](int64_t bytes) {
      progress.advance(Stage::convert, static_cast<double>(bytes), parts[i].name.string());
      if (progress.stop_requested()) fail(ErrorKind::interrupted, "stopped; nothing was written");
    });
  }
  copy_small_files(model, made.path());
  ModelFolder copy = model;
  copy.layout = own_layout(made.path());
  open_model(copy);  // throws when the files do not say what they should
  publish_folder(made.path(), folder, plan.existing);
  return written;
}

}  // namespace faststar
