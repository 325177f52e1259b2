// Means of a map over the cells of a coarser grid (core/model/reduce/selection.h). One thread a token; it adds its
// cell row by row, as the reference does. The map (0.3 MB at 720p) stays in cache; ATen needs three launches for each
// of the up to 16 members of a cell.
#include "cuda/launch.cuh"

namespace faststar::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void area_mean_kernel(const AreaMean op) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
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
  launch("area_mean", area_mean_kernel, {block_count(op.frames * op.rows * op.columns, kThreads)}, kThreads, stream,
         op);
}

}  // namespace faststar::cuda
