#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

/// How a tensor is stored.
/// dtype Undefined: one that we cannot read; such a tensor is an error only when it is wanted.
struct TensorInfo {
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
};

/// Bytes of its elements; 0 when they cannot be counted.
int64_t bytes_of(const TensorInfo& info);

class MappedFile;
struct Conversion;

/// Where the elements of a tensor lie in a file, one behind the other.
struct FilePlace {
  std::shared_ptr<const MappedFile> file;  ///< null: in none, or not like this
  int64_t offset = 0;                      ///< bytes
};

/// The number of elements of a tensor that a file describes; nothing when an extent is negative, the product overflows
/// or there are more dimensions than LibTorch can handle.
std::optional<int64_t> checked_numel(at::IntArrayRef shape);

/// Throws Error(model) naming `origin` when `name` would garble the terminal that it is printed on.
void check_tensor_name(const std::string& name, const std::string& origin);

/// Named tensors of a file or a generator. Opening a file checks everything that its header says and executes nothing.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// All tensors by name; empty for a source that generates them (random weights).
  virtual const std::map<std::string, TensorInfo>& tensors() const = 0;
  /// The tensor `name`. From a file: on the CPU as stored, `info` and `device` are ignored. Generated: on `device`, as
  /// `info` says. Throws Error(model) when there is none.
  virtual Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const = 0;
  /// The path, as messages name it.
  virtual std::string origin() const = 0;
  /// True when read() generates any tensor.
  virtual bool makes_any() const { return false; }
  /// Where the tensor `name` lies, for those who read many at once.
  virtual FilePlace place(const std::string& /*name*/) const { return {}; }
  /// What `faststar convert` noted in the file; null for other files.
  virtual const Conversion* conversion() const { return nullptr; }
};

/// The tensors of files. Each is loaded when it is read.
class StoredTensors : public TensorSource {
 public:
  explicit StoredTensors(std::string origin) : origin_(std::move(origin)) {}

  /// `load` returns the tensor as stored, on the CPU. It may throw Error(model).
  void add(const std::string& name, const TensorInfo& info, std::function<Tensor()> load, FilePlace place = {});

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override;
  std::string origin() const override { return origin_; }
  FilePlace place(const std::string& name) const override;

 private:
  struct Stored {
    std::function<Tensor()> load;
    FilePlace place;
  };
  std::string origin_;
  std::map<std::string, TensorInfo> infos_;
  std::map<std::string, Stored> stored_;
};

/// Opens the weights at `path`: a file of safetensors or torch.save (told apart by content, not by name), or
/// a folder with, in this order, model.safetensors.index.json, model.safetensors, one *.safetensors,
/// pytorch_model.bin.index.json, pytorch_model.bin.
/// Two older names are listed under the current ones: `semantic_head.*` as `semantic_head2.*` (InfinityStar
/// infinity/utils/save_and_load.py) and T5's `encoder.embed_tokens.weight` as `shared.weight`.
/// Throws Error(model) when nothing is there or a file is damaged.
std::shared_ptr<const TensorSource> open_checkpoint(const std::filesystem::path& path);

/// 16 hex digits that identify a checkpoint in any file format: a hash of every tensor's name, shape, dtype and first
/// values, so that gigabytes need not be read. Of a converted model, that of its source. Not cryptographic.
std::string fingerprint(const TensorSource& source);

/// Generates every tensor on the device and in the dtype asked for, so that the speed and memory of a model can be
/// measured without its weights. A tensor depends on seed, name, shape, dtype and kind of device, not on the order of
/// the calls. Norm scales are ones, biases normal with std 0.02, all else normal with
/// std 1/sqrt(fan-in), the elements of one output (for an embedding: of one row).
std::shared_ptr<const TensorSource> make_random_weights(uint64_t seed);

/// Throws Error(model): `source` holds no tensor `name`.
[[noreturn]] void fail_missing(const TensorSource& source, const std::string& name);
/// Throws Error(model): the tensor `name` contains NaN or infinite values.
[[noreturn]] void fail_not_finite(const std::string& origin, const std::string& name);

/// The name of the scales of a matrix `name` [out, in] that is stored in 8 bits (E4M3): float32 [out], and row i of the
/// matrix is its 8-bit row times scale i.
inline std::string scale_name(const std::string& name) { return name + "_scale"; }

/// Layers whose weights lie one below the other in one tensor, and the rows of each:
/// {"qkv_proj", {{"q_proj", 4096}, {"k_proj", 1024}, {"v_proj", 1024}}}. `a.q_proj.weight` is the first 4096 rows of
/// `a.qkv_proj.weight`, and so on for biases and scales.
struct FusedLayers {
  std::string name;
  std::vector<std::pair<std::string, int64_t>> parts;

  int64_t rows() const;
};

/// What comes before and after `layer` in the name of a tensor: {"a.", ".weight"} of "q_proj" in "a.q_proj.weight";
/// nothing when it is not in there.
std::optional<std::pair<std::string, std::string>> around_layer(const std::string& name, const std::string& layer);

/// Tensors that a network takes, as it takes them.
using TensorRequests = std::map<std::string, TensorInfo>;

class WeightLoader;

/// Weights by name, converted to one dtype and device: the only place where weights change either.
class Weights {
 public:
  /// `dtype` is what get() converts floating-point tensors to. `loader`: reads the tensors of `source` ahead, all at
  /// once; those that it does not know are read when get() asks for them.
  Weights(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType dtype,
          std::shared_ptr<WeightLoader> loader = nullptr);

  /// The tensor `name` of exactly `shape`, on device(); a matrix in 8 bits times its scales. Throws Error(model) naming
  /// file and tensor when it is missing, has another shape, or contains NaN or infinite values; of what a loader reads
  /// ahead, check_loaded() tells.
  Tensor get(const std::string& name, at::IntArrayRef shape) const { return get(name, shape, dtype_); }
  Tensor get(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype) const;

  /// The tensors `before` + layer + `after` of fused layers, each [its rows, ...row_shape], one below the other. Throws
  /// as get().
  Tensor get_fused(const FusedLayers& layers, const std::string& before, const std::string& after,
                   at::IntArrayRef row_shape, at::ScalarType dtype) const;

  bool has(const std::string& name) const;
  /// The stored shape of `name`. Throws Error(model) when it is missing.
  std::vector<int64_t> shape_of(const std::string& name) const;

  /// Logs one warning when the file holds tensors that were never read, except those whose name starts with one of
  /// `known_unused`.
  void warn_about_unused(const std::vector<std::string>& known_unused) const;

  /// Throws Error(model) when what the loader has read contains NaN or infinite values. Logs one warning when tensors
  /// of two or more dimensions are all zeros, as in a file that was made before its download. Waits for the device
  /// once.
  void check_loaded() const;

  /// Null without one.
  const WeightLoader* loader() const { return loader_.get(); }

  /// What get() was asked for until now.
  const TensorRequests& requests() const { return requests_; }

  const TensorSource& source() const { return *source_; }
  at::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }

 private:
  void check_shape(const std::string& name, at::IntArrayRef shape) const;
  Tensor read(const std::string& name, const TensorInfo& wanted) const;
  void check_values(const Tensor& tensor, const std::string& name) const;

  std::shared_ptr<const TensorSource> source_;
  at::Device device_;
  at::ScalarType dtype_;
  std::shared_ptr<WeightLoader> loader_;
  mutable TensorRequests requests_;
  mutable std::vector<std::string> zero_matrices_;  ///< that get() read
};

}  // namespace faststar
