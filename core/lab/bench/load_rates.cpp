#include "core/lab/bench/load_rates.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "core/base/device.h"
#include "core/base/weights/mapped_file.h"
#include "core/lab/bench/op_clock.h"
#include "core/lab/bench/page_cache.h"

namespace faststar {
namespace {

constexpr int64_t kReadPiece = 4 << 20;
constexpr int64_t kMostBytesRead = 8LL << 30;
constexpr int64_t kBufferBytes = 256 << 20;
constexpr int kCalls = 16;

struct ReadRange {
  FilePlace place;
  int64_t bytes = 0;
};

/// Pieces of the tensors in files.
std::vector<ReadRange> ranges_of(const TensorSource& source) {
  std::vector<ReadRange> ranges;
  int64_t sum = 0;
  for (const auto& [name, info] : source.tensors()) {
    const FilePlace place = source.place(name);
    for (int64_t begin = 0; place.file && begin < bytes_of(info) && sum < kMostBytesRead; begin += kReadPiece) {
      ranges.push_back({{place.file, place.offset + begin}, std::min(kReadPiece, bytes_of(info) - begin)});
      sum += ranges.back().bytes;
    }
  }
  return ranges;
}

void read_all(const std::vector<ReadRange>& ranges) {
  at::parallel_for(0, static_cast<int64_t>(ranges.size()), 1, [&](int64_t begin, int64_t end) {
    std::vector<char> buffer(kReadPiece);
    for (int64_t i = begin; i < end; ++i) {
      const ReadRange& range = ranges[static_cast<size_t>(i)];
      range.place.file->read_into(buffer.data(), range.place.offset, range.bytes);
    }
  });
}

nlohmann::ordered_json rate_row(const char* what, int64_t bytes, const std::function<void()>& action) {
  const auto start = BenchClock::now();
  action();
  const double seconds = seconds_between(start, BenchClock::now());
  return {{"what", what},
          {"bytes", bytes},
          {"seconds", seconds},
          {"bytes_per_second", static_cast<double>(bytes) / seconds}};
}

/// Calls `op` often enough, after one call to warm up.
nlohmann::ordered_json device_row(const char* what, at::Device device, const std::function<void()>& op) {
  op();
  synchronize(device);
  return rate_row(what, kCalls * kBufferBytes, [&] {
    for (int i = 0; i < kCalls; ++i) op();
    synchronize(device);
  });
}

}  // namespace

BenchTable bench_load_rates(const Checkpoints& checkpoints, const std::vector<std::filesystem::path>& files,
                            at::Device device) {
  BenchTable table{.key = "load_rates",
                   .title = "The steps of loading, each alone",
                   .columns = {{"what", "what"},
                               {"MB", "bytes", kInMega, 1},
                               {"ms", "seconds", kInMilliseconds, 1},
                               {"GB/s", "bytes_per_second", kInGiga, 2}},
                   .rows = {},
                   .footnotes = {}};
  const std::vector<ReadRange> ranges = ranges_of(*checkpoints.transformer);
  int64_t bytes = 0;
  for (const ReadRange& range : ranges) bytes += range.bytes;
  drop_from_page_cache(files);
  table.rows.push_back(rate_row("read, cold", bytes, [&] { read_all(ranges); }));
  table.rows.push_back(rate_row("read", bytes, [&] { read_all(ranges); }));
  if (device.is_cpu()) return table;
  const Tensor host = at::empty({kBufferBytes}, at::TensorOptions(at::kByte).pinned_memory(true));
  const Tensor there = at::empty({kBufferBytes}, at::TensorOptions(device).dtype(at::kByte));
  const Tensor rounded = at::empty({kBufferBytes / 4}, at::TensorOptions(device).dtype(at::kBFloat16));
  table.rows.push_back(device_row("copy to the GPU", device, [&] { there.copy_(host, /*non_blocking=*/true); }));
  table.rows.push_back(device_row("convert fp32 to bf16", device, [&] { rounded.copy_(there.view(at::kFloat)); }));
  return table;
}

}  // namespace faststar
