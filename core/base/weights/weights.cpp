#include "core/base/weights/weights.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/AcceleratorHooksInterface.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/base/weights/conversion.h"
#include "core/base/weights/mapped_file.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/torch_file.h"
#include "core/base/weights/weight_loader.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using SourcePtr = std::shared_ptr<const TensorSource>;

/// Adds the tensor `stored` of `source` under a name that may differ.
void add_tensor(StoredTensors& tensors, const std::string& name, const SourcePtr& source, const std::string& stored) {
  tensors.add(
      name, source->tensors().at(stored), [source, stored] { return source->read(stored, {}, at::kCPU); },
      source->place(stored));
}

std::string current_name(const std::string& stored) {
  constexpr std::string_view kOldHead = "semantic_head.";
  if (stored.starts_with(kOldHead)) return "semantic_head2." + stored.substr(kOldHead.size());
  if (stored == "encoder.embed_tokens.weight") return "shared.weight";
  return stored;
}

SourcePtr with_current_names(const SourcePtr& source) {
  const auto renamed = std::make_shared<StoredTensors>(source->origin());
  bool any_differs = false;
  for (const auto& [stored, info] : source->tensors()) {
    const std::string name = current_name(stored);
    any_differs |= name != stored;
    const bool both_stored = name != stored && source->tensors().contains(name);
    if (!both_stored) add_tensor(*renamed, name, source, stored);
  }
  return any_differs ? renamed : source;
}

std::string start_of(const fs::path& path) {
  const MappedFile file(path);
  return file.read(0, std::min<int64_t>(file.size(), 64));
}

SourcePtr open_file(const fs::path& path) {
  const std::string start = start_of(path);
  if (is_torch_file(start)) return open_torch_file(path);
  refuse_lfs_pointer(start, path.string());
  constexpr size_t kSafetensorsBrace = 8;
  const bool json_follows = start.size() > kSafetensorsBrace && start[kSafetensorsBrace] == '{';
  if (json_follows || path.extension() == ".safetensors") return with_fused_parts(open_safetensors(path));
  fail(ErrorKind::model,
       fmt::format("{}: expected a safetensors or torch.save file, got something else", path.string()),
       "download or copy it again, or give another file");
}

std::map<std::string, std::string> read_weight_map(const fs::path& index) {
  const MappedFile file(index);
  if (file.size() > kMaxModelJsonBytes) {
    fail(ErrorKind::model, fmt::format("{}: {} bytes, too large for an index", file.origin(), file.size()));
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

/// An index may come from anywhere: it must not name files outside its folder.
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
    fail(ErrorKind::model, fmt::format("{}: missing, but {} lists it", path.string(), index.filename().string()),
         "download or copy the rest of the checkpoint");
  }
  return path;
}

/// Reads the headers of the shards that a Hugging Face `*.index.json` lists (`weight_map`: tensor -> file name).
SourcePtr open_shards(const fs::path& index) {
  const auto tensors = std::make_shared<StoredTensors>(index.parent_path().string());
  std::map<std::string, SourcePtr> opened;
  for (const auto& [tensor, name] : read_weight_map(index)) {
    SourcePtr& shard = opened[name];
    if (!shard) shard = open_file(shard_path(index, name));
    if (!shard->tensors().contains(tensor)) {
      fail(ErrorKind::model, fmt::format("{}: tensor {} is missing, but {} lists it", shard->origin(), tensor,
                                         index.filename().string()));
    }
    add_tensor(*tensors, tensor, shard, tensor);
  }
  return tensors;
}

std::vector<fs::path> safetensors_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".safetensors") files.push_back(entry->path());
  }
  return files;
}

SourcePtr open_folder(const fs::path& folder) {
  const auto has = [&folder](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  };
  const char* const safetensors_index = "model.safetensors.index.json";
  const char* const torch_index = "pytorch_model.bin.index.json";
  if (has(safetensors_index)) return open_shards(folder / safetensors_index);
  if (has("model.safetensors")) return open_file(folder / "model.safetensors");
  const auto files = safetensors_in(folder);
  if (files.size() == 1) return open_file(files.front());
  if (has(torch_index)) return open_shards(folder / torch_index);
  if (has("pytorch_model.bin")) return open_file(folder / "pytorch_model.bin");
  fail(ErrorKind::model,
       fmt::format("{}: expected {}, one .safetensors file or pytorch_model.bin, got {} .safetensors files",
                   folder.string(), safetensors_index, files.size()),
       "give the file, or the folder that holds the index");
}

constexpr int64_t kHashedValues = 16;  // of each tensor

/// Training snapshots have equal shapes: only values tell them apart.
uint64_t add_first_values(uint64_t hash, const TensorSource& source, const std::string& name, const TensorInfo& info) {
  const FilePlace place = source.place(name);
  if (place.file) {
    const int64_t values = std::min(kHashedValues, checked_numel(info.shape).value_or(0));
    return fnv1a(place.file->read(place.offset, values * static_cast<int64_t>(c10::elementSize(info.dtype))), hash);
  }
  const Tensor tensor = source.read(name, info, at::kCPU);
  const Tensor values = tensor.reshape({-1}).narrow(0, 0, std::min(kHashedValues, tensor.numel())).contiguous();
  return fnv1a({static_cast<const char*>(values.const_data_ptr()), values.nbytes()}, hash);
}

constexpr double kBiasStd = 0.02;

bool is_scale(std::string_view name) {
  constexpr std::array<std::string_view, 4> kEndings = {"norm.weight", "norm_hidden_sates.weight", ".gamma",
                                                        "scale_learnable_parameters"};
  return std::any_of(kEndings.begin(), kEndings.end(), [name](auto ending) { return name.ends_with(ending); });
}

double std_of(std::string_view name, at::IntArrayRef shape) {
  if (name.ends_with(".bias") || shape.empty()) return kBiasStd;
  const double fan_in = static_cast<double>(c10::multiply_integers(shape.slice(1)));
  return 1 / std::sqrt(std::max(fan_in, 1.0));
}

at::Generator seeded_generator(at::Device device, uint64_t seed) {
  if (device.is_cpu()) return at::detail::createCPUGenerator(seed);
  at::Generator generator =
      at::globalContext().getAcceleratorHooksInterface(device.type()).getNewGenerator(device.index());
  generator.set_current_seed(seed);
  return generator;
}

class RandomWeights final : public TensorSource {
 public:
  explicit RandomWeights(uint64_t seed) : seed_(seed) {}

  const std::map<std::string, TensorInfo>& tensors() const override { return none_; }
  bool makes_any() const override { return true; }
  std::string origin() const override { return fmt::format("random weights (seed {})", seed_); }

  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override {
    const auto options = at::TensorOptions(device).dtype(info.dtype);
    if (is_scale(name)) return at::ones(info.shape, options);
    const uint64_t seed = fnv1a(fmt::format("{} {} {}", seed_, name, shape_text(info.shape)));
    return at::empty(info.shape, options).normal_(0, std_of(name, info.shape), seeded_generator(device, seed));
  }

 private:
  uint64_t seed_;
  std::map<std::string, TensorInfo> none_;
};

}  // namespace

std::optional<int64_t> checked_numel(at::IntArrayRef shape) {
  constexpr int64_t kWidestElement = 16;
  constexpr size_t kMaxDimensions = 64;  // LibTorch's own limit; weights have five
  if (shape.size() > kMaxDimensions) return std::nullopt;
  int64_t numel = 1;
  int64_t bound = kWidestElement;  // in bytes, and zeros count as ones: strides multiply the same way
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(bound, std::max<int64_t>(extent, 1), &bound)) return std::nullopt;
    numel *= extent;
  }
  return numel;
}

int64_t bytes_of(const TensorInfo& info) {
  if (info.dtype == at::ScalarType::Undefined) return 0;
  return checked_numel(info.shape).value_or(0) * static_cast<int64_t>(c10::elementSize(info.dtype));
}

void check_tensor_name(const std::string& name, const std::string& origin) {
  const bool printable = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (!printable) fail(ErrorKind::model, fmt::format("{}: the name of a tensor contains control characters", origin));
}

void fail_missing(const TensorSource& source, const std::string& name) {
  fail(ErrorKind::model, fmt::format("{}: tensor {} is missing", source.origin(), name),
       fmt::format("faststar info {} lists its tensors", shell_quoted(source.origin())));
}

void fail_not_finite(const std::string& origin, const std::string& name) {
  fail(ErrorKind::model, fmt::format("{}: tensor {}: contains NaN or infinite values", origin, name),
       "download or copy it again");
}

void StoredTensors::add(const std::string& name, const TensorInfo& info, std::function<Tensor()> load,
                        FilePlace place) {
  infos_[name] = info;
  stored_[name] = {std::move(load), std::move(place)};
}

Tensor StoredTensors::read(const std::string& name, const TensorInfo&, at::Device) const {
  const auto found = stored_.find(name);
  if (found == stored_.end()) fail_missing(*this, name);
  return found->second.load();
}

FilePlace StoredTensors::place(const std::string& name) const {
  const auto found = stored_.find(name);
  return found == stored_.end() ? FilePlace() : found->second.place;
}

int64_t FusedLayers::rows() const {
  int64_t sum = 0;
  for (const auto& [layer, rows] : parts) sum += rows;
  return sum;
}

std::optional<std::pair<std::string, std::string>> around_layer(const std::string& name, const std::string& layer) {
  const size_t at = name.find("." + layer + ".");
  if (at == std::string::npos) return std::nullopt;
  return std::pair(name.substr(0, at + 1), name.substr(at + 1 + layer.size()));
}

Weights::Weights(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType dtype,
                 std::shared_ptr<WeightLoader> loader)
    : source_(std::move(source)), device_(device), dtype_(dtype), loader_(std::move(loader)) {}

Tensor Weights::get(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype) const {
  const TensorInfo wanted{dtype, shape.vec()};
  requests_[name] = wanted;
  if (!source_->makes_any()) check_shape(name, shape);
  if (loader_) {
    const Tensor loaded = loader_->take(name, wanted);
    if (loaded.defined()) return loaded;
  }
  Tensor tensor = read(name, wanted);
  check_values(tensor, name);
  return tensor;
}

Tensor Weights::get_fused(const FusedLayers& layers, const std::string& before, const std::string& after,
                          at::IntArrayRef row_shape, at::ScalarType dtype) const {
  const auto shape_of_rows = [&](int64_t rows) {
    std::vector<int64_t> shape = {rows};
    shape.insert(shape.end(), row_shape.begin(), row_shape.end());
    return shape;
  };
  if (loader_) {
    const Tensor loaded = loader_->take(before + layers.name + after, {dtype, shape_of_rows(layers.rows())});
    for (const auto& [layer, rows] : layers.parts) requests_[before + layer + after] = {dtype, shape_of_rows(rows)};
    if (loaded.defined()) return loaded;
  }
  std::vector<Tensor> parts;
  for (const auto& [layer, rows] : layers.parts) {
    parts.push_back(get(before + layer + after, shape_of_rows(rows), dtype));
  }
  if (parts.size() == 1) return parts.front();
  if (parts.front().element_size() > 1) return at::cat(parts);
  for (Tensor& part : parts) part = part.view(at::kByte);  // at::cat knows no E4M3
  return at::cat(parts).view(dtype);
}

void Weights::check_shape(const std::string& name, at::IntArrayRef shape) const {
  const auto stored = shape_of(name);
  if (at::IntArrayRef(stored) == shape) return;
  fail(ErrorKind::model, fmt::format("{}: tensor {}: expected shape {}, got {}", source_->origin(), name,
                                     shape_text(shape), shape_text(stored)));
}

Tensor Weights::read(const std::string& name, const TensorInfo& wanted) const {
  const Tensor stored = source_->read(name, wanted, device_);
  if (stored.scalar_type() != at::kFloat8_e4m3fn || wanted.dtype == at::kFloat8_e4m3fn) {
    return stored.to(device_, wanted.dtype).contiguous();
  }
  const Tensor scales = get(scale_name(name), {stored.size(0)}, at::kFloat);
  return (stored.to(device_).to(at::kFloat) * scales.unsqueeze(1)).to(wanted.dtype);
}

/// One pass, and no memory: a sum is finite unless a term is not.
void Weights::check_values(const Tensor& tensor, const std::string& name) const {
  const bool has_values = !source_->makes_any() && !tensor.is_meta() && tensor.is_floating_point();
  if (!has_values) return;
  const bool in_8_bits = tensor.element_size() == 1;  // which have no sum
  const auto sum = (in_8_bits ? tensor.to(at::kFloat) : tensor).sum().item<double>();
  if (!std::isfinite(sum)) fail_not_finite(source_->origin(), name);
  if (sum == 0 && tensor.dim() >= 2 && tensor.numel() > 0 && tensor.eq(0).all().item<bool>()) {
    zero_matrices_.push_back(name);
  }
}

void Weights::check_loaded() const {
  std::vector<std::string> zeros = zero_matrices_;
  if (loader_) {
    loader_->check_finite();
    const auto loaded = loader_->zero_matrices();
    zeros.insert(zeros.end(), loaded.begin(), loaded.end());
  }
  if (zeros.empty()) return;
  log::warn(
      "{}: {} of {} tensors hold nothing but zeros, {} is one: if the file is not whole, download or copy it again",
      source_->origin(), zeros.size(), source_->tensors().size(), zeros.front());
}

bool Weights::has(const std::string& name) const { return source_->tensors().contains(name); }

std::vector<int64_t> Weights::shape_of(const std::string& name) const {
  const auto found = source_->tensors().find(name);
  if (found == source_->tensors().end()) fail_missing(*source_, name);
  return found->second.shape;
}

void Weights::warn_about_unused(const std::vector<std::string>& known_unused) const {
  std::vector<std::string> unused;
  for (const auto& [name, info] : source_->tensors()) {
    const bool known = std::any_of(known_unused.begin(), known_unused.end(),
                                   [&name = name](const std::string& prefix) { return name.starts_with(prefix); });
    if (!known && !requests_.contains(name)) unused.push_back(name);
  }
  if (unused.empty()) return;
  log::warn("{}: {} unused tensor(s), the first is {}", source_->origin(), unused.size(), unused.front());
}

std::shared_ptr<const TensorSource> make_random_weights(uint64_t seed) {
  return std::make_shared<const RandomWeights>(seed);
}

SourcePtr open_checkpoint(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail(ErrorKind::model, fmt::format("{}: no such file or folder", path.string()),
         "--model takes the folder with the weights");
  }
  return with_current_names(fs::is_directory(path, ignored) ? open_folder(path) : open_file(path));
}

std::string fingerprint(const TensorSource& source) {
  if (source.conversion()) return source.conversion()->fingerprint;
  uint64_t hash = source.makes_any() ? fnv1a(source.origin()) : fnv1a("");
  for (const auto& [name, info] : source.tensors()) {
    hash = fnv1a(fmt::format("{} {} {}\n", name, shape_text(info.shape), dtype_text(info.dtype)), hash);
    if (info.dtype != at::ScalarType::Undefined) hash = add_first_values(hash, source, name, info);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace faststar
