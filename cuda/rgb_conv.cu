// The decoder's last convolution, 3x3x3 from C channels to 3 (core/model/vae/rgb_conv.h), on tensor cores. A library
// pads 3 output channels to a tile of 32 or 64. Here the 8 columns of a product hold three channels of two time taps,
// and 8 more the third tap: a frame is read once and gives its share of the three results that it belongs to, which are
// summed in registers from frame to frame.
//
// A block makes 32 x 8 pixels of all frames; a warp 64 of them. Pixels and their neighbours come into shared memory 32
// channels at a time. bf16: reads 2 C B a pixel and frame (2.7 C with what neighbouring blocks read again, from L2),
// writes 6 B. H200, `bench ops`: 0.92 ms for 10 frames of 720p, 1,980 GB/s.
#include "cuda/launch.cuh"

namespace faststar::cuda {
namespace {

using Half = __nv_bfloat16;

constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int kTileRows = 8, kTileColumns = 32;
constexpr int kChunk = 32;          // channels in shared memory at a time
constexpr int kPitch = kChunk + 8;  // of a pixel there: eight neighbours then lie in different banks
constexpr int kDepth = 16;          // channels of one product
constexpr int kGroups = 4;          // of 16 pixels each in a warp
constexpr int kRows = kTileRows + 2, kColumns = kTileColumns + 2;
constexpr int kTaps = 9;  // in height and width

/// What is left of a result that waits for later frames: [group][pixel g or g + 8].
using Waiting = float[kGroups][2];
/// Products of a frame: [group][block of 8 columns][element of the fragment].
using Products = float[kGroups][2][4];

__device__ void load_fragment(uint32_t (&fragment)[4], const Half* from) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(from));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
               : "r"(address));
}

/// sum += 16 pixels x 16 channels times 16 channels x 8 columns.
__device__ void multiply_add(float (&sum)[4], const uint32_t (&pixels)[4], uint32_t weights0, uint32_t weights1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(pixels[0]), "r"(pixels[1]), "r"(pixels[2]), "r"(pixels[3]), "r"(weights0), "r"(weights1));
}

/// Copies 16 bytes to shared memory, or zeros where `inside` is false.
__device__ void copy_async(Half* to, const Half* from, bool inside) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(inside ? 16 : 0));
}

/// The tile of one frame with a pixel around, channels from `channel` on; zeros beyond the frame.
__device__ void load_tile(Half* tile, const RgbConv& op, const Half* frame, int channel) {
  constexpr int kVectors = kChunk / 8;
  const int top = static_cast<int>(blockIdx.y) * kTileRows - 1, left = static_cast<int>(blockIdx.x) * kTileColumns - 1;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kColumns * kVectors; i += kThreads) {
    const int pixel = i / kVectors, vector = i % kVectors;
    const int y = top + pixel / kColumns, x = left + pixel % kColumns;
    const bool inside = y >= 0 && y < op.height && x >= 0 && x < op.width;
    const int64_t from = inside ? (int64_t{y} * op.width + x) * op.channels + channel + vector * 8 : 0;
    copy_async(tile + pixel * kPitch + vector * 8, frame + from, inside);
  }
  asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
}

/// Adds the products of the channels in shared memory.
__device__ void add_products(Products& products, const Half* tile, const uint4* weights, int64_t steps_per_tap) {
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int tap = 0; tap < kTaps; ++tap) {
#pragma unroll
    for (int step = 0; step < kChunk / kDepth; ++step) {
      const uint4 w = weights[(tap * steps_per_tap + step) * 32 + lane];
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        const int row = 2 * warp + group / 2 + tap / 3, column = group % 2 * 16 + tap % 3 + lane % 16;
        uint32_t pixels[4];
        load_fragment(pixels, tile + (row * kColumns + column) * kPitch + step * kDepth + lane / 16 * 8);
        multiply_add(products[group][0], pixels, w.x, w.y);
        multiply_add(products[group][1], pixels, w.z, w.w);
      }
    }
  }
}

/// Completes the result two frames back and moves what waits on by a frame. A lane of channel c < 3 has the products of
/// taps 0, 1 and 2 in time for its two pixels of each group.
__device__ void finish_frame(const RgbConv& op, const Products& products, Waiting& one, Waiting& two, float bias,
                             int64_t frame) {
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int channel = lane % 4;
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float result = two[group][half] + products[group][1][2 * half] + bias;
      two[group][half] = one[group][half] + products[group][0][2 * half + 1];
      one[group][half] = products[group][0][2 * half];
      const int64_t y = int64_t{blockIdx.y} * kTileRows + 2 * warp + group / 2;
      const int64_t x = int64_t{blockIdx.x} * kTileColumns + group % 2 * 16 + lane / 4 + 8 * half;
      if (frame < 2 || channel > 2 || y >= op.height || x >= op.width) continue;
      const int64_t pixel = ((blockIdx.z * op.frames + frame - 2) * op.height + y) * op.width + x;
      static_cast<Half*>(op.out)[pixel * 3 + channel] = from_float<Half>(result);
    }
  }
}

__global__ void __launch_bounds__(kThreads) rgb_conv_kernel(const RgbConv op) {
  __shared__ __align__(16) Half tile[kRows * kColumns * kPitch];
  const int channel = static_cast<int>(threadIdx.x) % 4;
  const float bias = channel < 3 ? to_float(static_cast<const Half*>(op.bias)[channel]) : 0.0f;
  const int64_t steps_per_tap = op.channels / kDepth;
  const auto* weights = static_cast<const uint4*>(op.weights);
  Waiting one = {}, two = {};
  for (int64_t frame = 0; frame < op.frames + 2; ++frame) {
    const Half* pixels = static_cast<const Half*>(op.extended) +
                         (blockIdx.z * (op.frames + 2) + frame) * op.height * op.width * op.channels;
    Products products = {};
    for (int first = 0; first < op.channels; first += kChunk) {
      __syncthreads();  // everybody is done with what the tile held
      load_tile(tile, op, pixels, first);
      __syncthreads();
      add_products(products, tile, weights + first / kDepth * 32, steps_per_tap);
    }
    finish_frame(op, products, one, two, bias, frame);
  }
}

}  // namespace

bool rgb_conv_takes(int64_t channels) { return channels > 0 && channels % kChunk == 0; }

void rgb_conv(const RgbConv& op, Stream stream) {
  require(rgb_conv_takes(op.channels), "rgb_conv: channels are a multiple of 32");
  require(aligned_to(16, op.extended, op.weights), "rgb_conv: operands are aligned to 16 bytes");
  const Grid grid{block_count(op.width, kTileColumns), block_count(op.height, kTileRows), op.batch};
  launch("rgb_conv", rgb_conv_kernel, grid, kThreads, stream, op);
}

}  // namespace faststar::cuda
