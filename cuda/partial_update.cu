// Codes upsampled, masked and added to the accumulated features (core/model/reduce/faststar.h). One thread an
// element of the sum [64, t, H, W]: reads sum and mask, writes the new sum, and gathers up to eight codes where the
// mask is 1. At 720p 18 MB in, 18 MB out and the codes once through cache; ATen writes and reads the upsampled map as
// well. Sources and weights are those of ATen's upsample_trilinear3d (channels are its depth, align_corners false),
// rounded where its machine code rounds: with all positions marked the bits are those of a full update. H200,
// `bench ops`: 0.061 ms at 720p, 903 GB/s.
#include "cuda/launch.cuh"

namespace faststar::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChannels = 64;

/// Two neighbours on one axis and their weights.
struct Neighbours {
  __device__ Neighbours(int64_t index, int64_t from, int64_t to) {
    const float scale = static_cast<float>(from) / static_cast<float>(to);
    const float source = __fmaf_rn(scale, __fadd_rn(static_cast<float>(index), 0.5f), -0.5f);
    const float clamped = source < 0.0f ? 0.0f : source;
    first = static_cast<int>(clamped);
    step = first < from - 1 ? 1 : 0;
    second_weight = clamped - static_cast<float>(first);
    first_weight = 1.0f - second_weight;
  }
  __device__ float between(float a, float b) const { return __fmaf_rn(first_weight, a, __fmul_rn(second_weight, b)); }

  int first, step;
  float first_weight, second_weight;
};

__device__ float line_value(const float* line, const Neighbours& x) {
  return x.between(line[x.first], line[x.first + x.step]);
}

__device__ float plane_value(const float* plane, int64_t columns, const Neighbours& y, const Neighbours& x) {
  return y.between(line_value(plane + y.first * columns, x), line_value(plane + (y.first + y.step) * columns, x));
}

__global__ void partial_update_kernel(const PartialUpdate op) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t positions = op.frames * op.height * op.width;
  if (index >= kChannels * positions) return;
  const int64_t position = index % positions;
  const float sum = op.summed[index];
  if (op.feature_mask[position] == 0) {
    op.updated[index] = sum;
    return;
  }
  const int64_t frame = position / (op.height * op.width);
  const int64_t plane = op.rows * op.columns;
  const Neighbours c(index / positions, op.bits, kChannels);
  const Neighbours y(position / op.width % op.height, op.rows, op.height);
  const Neighbours x(position % op.width, op.columns, op.width);
  const float* first = op.codes + (c.first * op.frames + frame) * plane;
  const float* second = first + c.step * op.frames * plane;
  const float code = c.between(plane_value(first, op.columns, y, x), plane_value(second, op.columns, y, x));
  op.updated[index] = __fadd_rn(sum, code);
}

}  // namespace

void partial_update(const PartialUpdate& op, Stream stream) {
  const int64_t elements = kChannels * op.frames * op.height * op.width;
  launch("partial_update", partial_update_kernel, {block_count(elements, kThreads)}, kThreads, stream, op);
}

}  // namespace faststar::cuda
