#include "core/lab/bench/start_bench.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/base/device.h"
#include "core/lab/bench/load_rates.h"
#include "core/lab/bench/op_clock.h"
#include "core/lab/bench/page_cache.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

/// Bytes of the tensors in a checkpoint that loading reads: those without the names that are never read.
double stored_bytes(const TensorSource& source, const std::vector<std::string>& unread) {
  double bytes = 0;
  for (const auto& [name, info] : source.tensors()) {
    const bool left =
        std::ranges::any_of(unread, [&name = name](const std::string& prefix) { return name.starts_with(prefix); });
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
  StartBench(const Request& request, double started) : request_(request), setup_(request.setup), started_(started) {
    const ModelLayout& layout = setup_.model.layout;
    if (!setup_.model.random_weights) files_ = files_of({layout.transformer, layout.vae, layout.t5});
  }

  std::vector<BenchTable> run(int warm) {
    const c10::InferenceMode inference;
    // What the first use of a device costs is not part of loading.
    at::zeros({1}, at::TensorOptions(device()));
    if (!files_.empty()) {
      drop_from_page_cache(files_);
      load(Cache::cold);
    }
    for (int i = 0; i < warm; ++i) load(Cache::warm);
    std::vector<BenchTable> tables = {loading(), first_use()};
    if (!setup_.model.random_weights) {
      tables.push_back(
          bench_load_rates(open_model(setup_.model), files_of({setup_.model.layout.transformer}), device()));
    }
    return tables;
  }

 private:
  void load(Cache cache) {
    const double cached = cached_share(files_);
    double sum = 0;
    std::optional<Model> model;
    const auto time = [&](const char* what, double bytes, const std::function<void()>& action) {
      const auto start = BenchClock::now();
      action();
      synchronize(device());
      const double seconds = seconds_between(start, BenchClock::now());
      sum += seconds;
      add(cache, what, seconds, bytes, cached);
      if (model && model->load_times().contains(what)) add_times(model->load_times().at(what));
    };
    time("open", 0, [&] { model.emplace(setup_, Residency::everything); });
    if (first_.empty()) model->warm_up_ahead(request_.schedule, request_.generation);
    const Checkpoints& checkpoints = model->checkpoints();
    time("text encoder", stored_bytes(*checkpoints.t5, kUnusedT5Tensors), [&] { model->text_encoder(); });
    time("transformer", stored_bytes(*checkpoints.transformer, kUnusedStarTensors), [&] { model->transformer(); });
    time("vae", stored_bytes(*checkpoints.vae, VideoVae::unused_weights(VaeParts::decoder)),
         [&] { model->vae(VaeParts::decoder); });
    add(cache, "process start to ready", started_ + sum, 0, cached);
    if (first_.empty()) use(*model);
  }

  /// What the threads of the newest row spent their time with, on average; of the last load.
  void add_times(const LoadTimes& times) {
    const double threads = std::max(1, times.threads);
    newest_->update({{"threads", times.threads},
                     {"read_seconds", times.read / threads},
                     {"wait_seconds", times.wait / threads},
                     {"loader_seconds", times.whole}});
  }

  /// Text, the passes of an image, and its decoding, twice.
  void use(Model& model) {
    const Pipeline pipeline(model);
    const std::vector<Scale>& scales = request_.schedule.scales();
    const Schedule image({scales.begin(), scales.begin() + request_.schedule.scales_per_clip()});
    GenerationSettings settings = request_.generation;
    settings.reduction = {};  // which may name scales of later clips
    for (std::vector<double>* seconds : {&first_, &second_}) {
      TextFeatures text;
      Tensor codes;
      const auto time = [&](const std::function<void()>& action) {
        const auto start = BenchClock::now();
        action();
        synchronize(device());
        seconds->push_back(seconds_between(start, BenchClock::now()));
      };
      time([&] { text = pipeline.encode_text("a red ball on a blue background", request_.text_limit); });
      time([&] { codes = pipeline.generate(image, settings, {.text = text}); });
      time([&] { pipeline.decode(codes); });
    }
  }

  BenchTable first_use() const {
    BenchTable table{
        .key = "first_use",
        .title = "First use of what was loaded",
        .columns = {{"what", "what"},
                    {"first ms", "first", kInMilliseconds, 1},
                    {"again ms", "again", kInMilliseconds, 1}},
        .rows = {},
        .footnotes = {"Libraries choose and load their kernels when they are first called. In the first "
                      "load a thread had them load most of them meanwhile, as in a run; with random weights, "
                      "and on a CPU, it did not."}};
    const char* const names[] = {"text", "passes of an image", "decode of an image"};
    for (size_t i = 0; i < first_.size(); ++i) {
      table.rows.push_back({{"what", names[i]}, {"first", first_[i]}, {"again", second_[i]}});
    }
    return table;
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
    newest_ = &*row;
    Samples& samples = samples_[static_cast<size_t>(row - rows_.begin())];
    samples.values.push_back(seconds);
    (*row)["seconds"] = to_json(samples);
    if (bytes > 0) (*row)["bytes_per_second"] = bytes / samples.median();
    if (bytes == 0) row->erase("bytes");
  }

  at::Device device() const { return pick_device(setup_.device); }

  BenchTable loading() {
    BenchTable table{
        .key = "start",
        .title = "Loading",
        .columns = {{"part", "part"},
                    {"page cache", "cache"},
                    {"cached before %", "cached_share", kInPercent, 0},
                    {"MB", "bytes", kInMega, 1},
                    {"ms", "seconds/median", kInMilliseconds, 1},
                    {"GB/s", "bytes_per_second", kInGiga, 2},
                    {"threads", "threads"},
                    {"read ms", "read_seconds", kInMilliseconds, 1},
                    {"wait for copies ms", "wait_seconds", kInMilliseconds, 1},
                    {"until read ms", "loader_seconds", kInMilliseconds, 1}},
        .rows = std::move(rows_),
        .footnotes = {fmt::format("From the start of the process until this command began: {:.2f} s. MB: as "
                                  "stored, of the tensors that are read.",
                                  started_)}};
    if (files_.empty()) table.footnotes.push_back("Random weights: nothing is read.");
    if (!files_.empty()) {
      table.footnotes.push_back(
          "read, wait for copies: of each thread on average, in the last load; until read: from the first byte to the "
          "last.");
    }
    if (!table.rows.empty() && table.rows.front()["cache"] == "cold" &&
        table.rows.front()["cached_share"].get<double>() > 0.01) {
      table.footnotes.push_back("The kernel did not drop all pages of the files: `cold` is not.");
    }
    return table;
  }

  const Request& request_;
  const ModelSetup& setup_;
  double started_;
  std::vector<std::filesystem::path> files_;
  std::vector<Json> rows_;
  std::vector<Samples> samples_;  ///< by row
  Json* newest_ = nullptr;        ///< the row that was added to
  std::vector<double> first_, second_;
};

}  // namespace

std::vector<BenchTable> bench_start(const Request& request, double started, int warm) {
  return StartBench(request, started).run(warm);
}

}  // namespace faststar
