#include "core/lab/bench/start_bench.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/base/device.h"
#include "core/lab/bench/op_clock.h"
#include "core/lab/bench/page_cache.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

/// Bytes of the tensors in a checkpoint that loading reads: those without the names that are never read.
double stored_bytes(const TensorSource& source, const std::vector<std::string>& unread) {
  double bytes = 0;
  for (const auto& [name, info] : source.tensors()) {
    const bool left = std::ranges::any_of(unread, [&](const std::string& prefix) { return name.starts_with(prefix); });
    const auto elements = left ? std::nullopt : checked_numel(info.shape);
    if (elements && info.dtype != at::ScalarType::Undefined) {
      bytes += static_cast<double>(*elements) * static_cast<double>(c10::elementSize(info.dtype));
    }
  }
  return bytes;
}

/// Where the pages of the files are when loading begins.
enum class Cache { cold, warm };

class StartBench {
 public:
  StartBench(const ModelSetup& setup, double started) : setup_(setup), started_(started) {
    const ModelLayout& layout = setup.model.layout;
    if (!setup.model.random_weights) files_ = files_of({layout.transformer, layout.vae, layout.t5});
  }

  BenchTable run(int warm) {
    const c10::InferenceMode inference;
    // What the first use of a device costs is not part of loading.
    at::zeros({1}, at::TensorOptions(pick_device(setup_.device)));
    if (!files_.empty()) {
      drop_from_page_cache(files_);
      load(Cache::cold);
    }
    for (int i = 0; i < warm; ++i) load(Cache::warm);
    return finish();
  }

 private:
  void load(Cache cache) {
    const double cached = cached_share(files_);
    double sum = 0;
    std::optional<Model> model;
    const auto time = [&](const char* what, double bytes, const std::function<void()>& action) {
      const auto start = BenchClock::now();
      action();
      synchronize(pick_device(setup_.device));
      const double seconds = seconds_between(start, BenchClock::now());
      sum += seconds;
      add(cache, what, seconds, bytes, cached);
    };
    time("open", 0, [&] { model.emplace(setup_, Residency::everything); });
    const Checkpoints& checkpoints = model->checkpoints();
    time("text encoder", stored_bytes(*checkpoints.t5, kUnusedT5Tensors), [&] { model->text_encoder(); });
    time("transformer", stored_bytes(*checkpoints.transformer, kUnusedStarTensors), [&] { model->transformer(); });
    time("vae", stored_bytes(*checkpoints.vae, VideoVae::unused_weights(VaeParts::decoder)),
         [&] { model->vae(VaeParts::decoder); });
    add(cache, "process start to ready", started_ + sum, 0, cached);
  }

  void add(Cache cache, const char* what, double seconds, double bytes, double cached) {
    const char* const name = cache == Cache::cold ? "cold" : "warm";
    const auto same = [&](const Json& row) { return row["part"] == what && row["cache"] == name; };
    auto row = std::ranges::find_if(rows_, same);
    if (row == rows_.end()) {
      rows_.push_back({{"part", what}, {"cache", name}, {"cached_share", cached}, {"bytes", bytes}});
      samples_.emplace_back();
      row = rows_.end() - 1;
    }
    Samples& samples = samples_[static_cast<size_t>(row - rows_.begin())];
    samples.values.push_back(seconds);
    (*row)["seconds"] = to_json(samples);
    if (bytes > 0) (*row)["bytes_per_second"] = bytes / samples.median();
    if (bytes == 0) row->erase("bytes");
  }

  BenchTable finish() {
    BenchTable table{
        .key = "start",
        .title = "Loading",
        .columns = {{"part", "part"},
                    {"page cache", "cache"},
                    {"cached before %", "cached_share", kInPercent, 0},
                    {"MB", "bytes", kInMega, 1},
                    {"ms", "seconds/median", kInMilliseconds, 1},
                    {"GB/s", "bytes_per_second", kInGiga, 2}},
        .rows = std::move(rows_),
        .footnotes = {fmt::format("From the start of the process until this command began: {:.2f} s. MB: as "
                                  "stored, of the tensors that are read.",
                                  started_)}};
    if (files_.empty()) table.footnotes.push_back("Random weights: nothing is read.");
    if (pick_device(setup_.device).is_cpu()) {
      table.footnotes.push_back(
          "On the CPU, weights that are stored as they are computed with are mapped, and read when they are first "
          "used.");
    }
    if (!table.rows.empty() && table.rows.front()["cache"] == "cold" &&
        table.rows.front()["cached_share"].get<double>() > 0.01) {
      table.footnotes.push_back("The kernel did not drop all pages of the files: `cold` is not.");
    }
    return table;
  }

  const ModelSetup& setup_;
  double started_;
  std::vector<std::filesystem::path> files_;
  std::vector<Json> rows_;
  std::vector<Samples> samples_;  ///< by row
};

}  // namespace

BenchTable bench_start(const ModelSetup& setup, double started, int warm) {
  return StartBench(setup, started).run(warm);
}

}  // namespace faststar
