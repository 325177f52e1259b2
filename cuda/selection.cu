#include <thrust/iterator/counting_iterator.h>

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_select.cuh>
#include <limits>

#include "cuda/launch.cuh"
#include "cuda/philox.h"

namespace faststar::cuda {

// The tokens that rank highest, as a mask and as an ascending list (core/model/reduce/selection.h). Keys of score and
// tie-break word are sorted with their indices by CUB's radix sort, which is stable: with the same keys the order is
// the reference's. 72,000 tokens: 0.9 MB of keys, a handful of launches. ATen sorts int64 keys the same way, but makes
// the tie-break words in about a hundred launches. H200, `bench ops`: 0.12 ms for 36,000 of 72,000; launches, not
// bytes.

namespace {

constexpr int kThreads = 256;
constexpr int64_t kAlignment = 256;

/// Bits of the same order as the value; NaN is the largest, zeros have one sign.
__device__ uint32_t ordered_bits(float value) {
  if (isnan(value)) value = __int_as_float(0x7f800000);
  const uint32_t bits = __float_as_uint(value + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

__device__ uint32_t tie_word(const TopSelection& op, int64_t index) {
  const uint32_t token = static_cast<uint32_t>(index);
  return philox4x32({{token, 0, op.stream_word, op.clip}}, static_cast<uint32_t>(op.seed),
                    static_cast<uint32_t>(op.seed >> 32))
      .word[0];
}

__global__ void score_keys_kernel(const TopSelection op, uint64_t* keys, int32_t* index) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= op.count) return;
  keys[i] = uint64_t{ordered_bits(op.score[i])} << 32 | tie_word(op, i);
  index[i] = static_cast<int32_t>(i);
}

__global__ void primary_keys_kernel(const TopSelection op, const int32_t* order, uint32_t* keys) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < op.count) keys[i] = ordered_bits(op.primary[order[i]]);
}

__global__ void mark_kernel(const TopSelection op, const int32_t* order) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < op.count) op.mask[order[i]] = i < op.keep ? 1 : 0;
}

/// Pieces of one allocation, each aligned; without one it only adds up.
struct Workspace {
  Workspace(void* base, int64_t count) : base(static_cast<char*>(base)) {
    for (int i = 0; i < 2; ++i) {
      keys[i] = take<uint64_t>(count);
      primary[i] = take<uint32_t>(count);
      order[i] = take<int32_t>(count);
    }
    selected = take<int64_t>(1);
    scratch = take<char>(0);
  }
  template <typename T>
  T* take(int64_t count) {
    T* const piece = reinterpret_cast<T*>(base + used);
    used += block_count(count * static_cast<int64_t>(sizeof(T)), kAlignment) * kAlignment;
    return piece;
  }

  char* base;
  int64_t used = 0;  // bytes before `scratch`
  uint64_t* keys[2];
  uint32_t* primary[2];
  int32_t* order[2];
  int64_t* selected;
  char* scratch;  // CUB's
};

template <typename Key>
size_t sort_pairs(void* scratch, size_t bytes, const Key* keys, Key* sorted, const int32_t* values, int32_t* order,
                  int64_t count, cudaStream_t stream) {
  check(cub::DeviceRadixSort::SortPairsDescending(scratch, bytes, keys, sorted, values, order, count, 0,
                                                  sizeof(Key) * 8, stream),
        "select_top: sort");
  return bytes;
}

size_t compact(void* scratch, size_t bytes, const uint8_t* mask, int64_t* kept, int64_t* selected, int64_t count,
               cudaStream_t stream) {
  const thrust::counting_iterator<int64_t> index(0);
  check(cub::DeviceSelect::Flagged(scratch, bytes, index, mask, kept, selected, count, stream), "select_top: compact");
  return bytes;
}

size_t scratch_bytes(int64_t count) {
  const Workspace none(nullptr, 0);
  return std::max(
      {sort_pairs<uint64_t>(nullptr, 0, none.keys[0], none.keys[1], none.order[0], none.order[1], count, {}),
       sort_pairs<uint32_t>(nullptr, 0, none.primary[0], none.primary[1], none.order[0], none.order[1], count, {}),
       compact(nullptr, 0, nullptr, nullptr, none.selected, count, {})});
}

}  // namespace

int64_t select_top_workspace(int64_t count, Stream stream) {
  const DeviceGuard guard(stream);
  return Workspace(nullptr, count).used + static_cast<int64_t>(scratch_bytes(count));
}

void select_top(const TopSelection& op, Stream stream) {
  require(op.count <= std::numeric_limits<int32_t>::max(), "select_top: at most 2^31 - 1 tokens");
  require(aligned_to(kAlignment, op.workspace), "select_top: the workspace is aligned to 256 bytes");
  if (op.count == 0) return;
  const DeviceGuard guard(stream);
  const cudaStream_t queue = as_stream(stream);
  const Grid blocks{block_count(op.count, kThreads)};
  const Workspace work(op.workspace, op.count);
  const size_t bytes = scratch_bytes(op.count);
  launch("select_top", score_keys_kernel, blocks, kThreads, stream, op, work.keys[0], work.order[0]);
  sort_pairs(work.scratch, bytes, work.keys[0], work.keys[1], work.order[0], work.order[1], op.count, queue);
  const int32_t* order = work.order[1];
  if (op.primary) {
    launch("select_top", primary_keys_kernel, blocks, kThreads, stream, op, order, work.primary[0]);
    sort_pairs(work.scratch, bytes, work.primary[0], work.primary[1], order, work.order[0], op.count, queue);
    order = work.order[0];
  }
  launch("select_top", mark_kernel, blocks, kThreads, stream, op, order);
  compact(work.scratch, bytes, op.mask, op.kept, work.selected, op.count, queue);
}

// Means of a map over the cells of a coarser grid (core/model/reduce/selection.h). One thread a token; it adds its
// cell row by row, as the reference does. The map (0.3 MB at 720p) stays in cache; ATen needs three launches for each
// of the up to 16 members of a cell.

namespace {

constexpr int kAreaThreads = 128;

__global__ void area_mean_kernel(const AreaMean op) {
  const int64_t index = int64_t{blockIdx.x} * kAreaThreads + threadIdx.x;
  if (index >= op.frames * op.rows * op.columns) return;
  const int64_t column = index % op.columns;
  const int64_t row = index / op.columns % op.rows;
  const int64_t frame = index / op.columns / op.rows;
  const int64_t top = row * op.height / op.rows;
  const int64_t bottom = ((row + 1) * op.height + op.rows - 1) / op.rows;
  const int64_t left = column * op.width / op.columns;
  const int64_t right = ((column + 1) * op.width + op.columns - 1) / op.columns;
  float sum = 0.0f;
  for (int64_t y = top; y < bottom; ++y) {
    const float* line = op.map + (frame * op.height + y) * op.width;
    for (int64_t x = left; x < right; ++x) sum = __fadd_rn(sum, line[x]);
  }
  op.mean[index] = __fdiv_rn(sum, static_cast<float>((bottom - top) * (right - left)));
}

}  // namespace

void area_mean(const AreaMean& op, Stream stream) {
  launch("area_mean", area_mean_kernel, {block_count(op.frames * op.rows * op.columns, kAreaThreads)}, kAreaThreads,
         stream, op);
}

}  // namespace faststar::cuda
