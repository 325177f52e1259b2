#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/weights/weights.h"
#include "core/model/pyramid/schedule.h"
#include "core/model/star/generator.h"
#include "core/model/star/transformer.h"
#include "core/model/vae/video_vae.h"

namespace faststar {

/// A JSON file of the set. Throws Error(input) when it is missing or not JSON.
nlohmann::json read_fixture_json(const std::filesystem::path& path);

/// One safetensors file of a fixture set.
class Fixture {
 public:
  /// Throws Error(input) when the file cannot be read.
  explicit Fixture(const std::filesystem::path& path);
  bool has(const std::string& name) const { return source_->tensors().contains(name); }
  /// The tensor as stored, on the CPU. Throws Error(input) when it is missing.
  Tensor operator[](const std::string& name) const;
  /// `<prefix>.NNN`, three digits.
  static std::string step_name(const std::string& prefix, int step);

 private:
  std::filesystem::path path_;
  std::shared_ptr<const TensorSource> source_;
};

/// What a STAR fixture was made with (meta.json or an entry of tasks.json).
struct StarTask {
  Schedule schedule;
  GenerationSettings settings;
  int64_t detail_scale_min_tokens = 0;
  int given_steps = 0;
  std::vector<int64_t> summed_channels;  ///< channels stored of `summed_codes`; empty: all
  std::vector<int64_t> frames_stored;
};

/// A folder in the form of the parity README. Files that are not there are absent, not wrong.
class FixtureSet {
 public:
  FixtureSet(std::filesystem::path folder, at::Device device, at::ScalarType dtype, LinearPrecision linears);

  bool has(const std::string& file) const;
  std::filesystem::path path(const std::string& file) const { return folder_ / file; }
  Fixture open(const std::string& file) const { return Fixture(path(file)); }
  at::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }

  /// The set's weights. Throw Error(model) when they do not load.
  StarTransformer load_transformer() const;
  VideoVae load_vae(at::ScalarType dtype) const;

  /// Settings of `star_greedy`, `star_forced` and `quantize`.
  StarTask meta_task() const;
  /// Settings of a conditioned task. Throws Error(input) when tasks.json lacks it.
  StarTask task(const std::string& name) const;

 private:
  std::filesystem::path folder_;
  at::Device device_;
  at::ScalarType dtype_;
  LinearPrecision linears_;
};

}  // namespace faststar
