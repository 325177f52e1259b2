// Norm over channels, modulation by latents, SiLU, and the two frames that a causal convolution wants before
// its input (core/vae/norm_silu.h). A block takes a stretch of one image line; 1 to 32 neighbouring lanes share
// a pixel and keep its channels in registers, so that x is read once and the result written once, 16 bytes at a
// time. At 96 to 384 channels each lane holds three such vectors.
// ATen's chain reads and writes float32 temporaries of the size of x about ten times for the same, and copies
// the result once more to put two frames before it. Factor and offset are gathered from latents that are 1/4 to
// 1/256 of the size of x and stay in cache.
#include "cuda/launch.cuh"

namespace faststar::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMostLanes = 32;
constexpr int kMostVectors = 4;
constexpr float kSmallestNorm = 1e-12f;

/// Elements in 16 bytes.
template <typename Element>
constexpr int kWidth = 16 / static_cast<int>(sizeof(Element));

__device__ void load(const float* source, float (&values)[4]) {
  const float4 vector = *reinterpret_cast<const float4*>(source);
  values[0] = vector.x;
  values[1] = vector.y;
  values[2] = vector.z;
  values[3] = vector.w;
}

__device__ void load(const float* source, float (&values)[8]) {
  const float4 low = reinterpret_cast<const float4*>(source)[0];
  const float4 high = reinterpret_cast<const float4*>(source)[1];
  values[0] = low.x;
  values[1] = low.y;
  values[2] = low.z;
  values[3] = low.w;
  values[4] = high.x;
  values[5] = high.y;
  values[6] = high.z;
  values[7] = high.w;
}

union PackedBfloat16 {
  uint4 vector;
  __nv_bfloat162 pairs[4];
  __device__ PackedBfloat16() {}
};

__device__ void load(const __nv_bfloat16* source, float (&values)[8]) {
  PackedBfloat16 packed;
  packed.vector = *reinterpret_cast<const uint4*>(source);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = __bfloat1622float2(packed.pairs[i]);
    values[2 * i] = pair.x;
    values[2 * i + 1] = pair.y;
  }
}

__device__ void store(float* target, const float (&values)[4]) {
  *reinterpret_cast<float4*>(target) = make_float4(values[0], values[1], values[2], values[3]);
}

__device__ void store(__nv_bfloat16* target, const float (&values)[8]) {
  PackedBfloat16 packed;
#pragma unroll
  for (int i = 0; i < 4; ++i) packed.pairs[i] = __floats2bfloat162_rn(values[2 * i], values[2 * i + 1]);
  *reinterpret_cast<uint4*>(target) = packed.vector;
}

/// Sum over the `lanes` neighbours that share a pixel; `lanes` is a power of two.
__device__ float sum_over_lanes(float value, int lanes) {
  for (int distance = lanes / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

__device__ float silu(float value) { return __fdividef(value, 1.0f + __expf(-value)); }

/// First channel of the latent that speaks for pixel (frame, row, column). At the video's start the first
/// latent speaks for frame 0 alone.
__device__ int64_t latent_offset(const NormSilu& op, unsigned frame, unsigned row, unsigned column) {
  const unsigned period = static_cast<unsigned>(op.frames_per_latent);
  const unsigned t = (frame + (op.before ? 0 : period - 1)) / period;
  const unsigned y = row / static_cast<unsigned>(op.pixels_per_latent);
  const unsigned x = column / static_cast<unsigned>(op.pixels_per_latent);
  return ((t * op.latent_height + y) * op.latent_width + x) * op.channels;
}

template <typename Element, int kVectors>
__global__ void norm_silu_kernel(const NormSilu op) {
  constexpr int kStep = kWidth<Element>;
  const int lanes = static_cast<int>(blockDim.x);
  const unsigned height = static_cast<unsigned>(op.height);  // 32-bit divisions: 64-bit ones would cost as much
  const unsigned width = static_cast<unsigned>(op.width);    // as the rest of the kernel
  const unsigned out_frame = blockIdx.x / height;
  const unsigned row = blockIdx.x - out_frame * height;
  const unsigned wanted = blockIdx.y * blockDim.y + threadIdx.y;
  const bool inside = wanted < width;
  const unsigned column = inside ? wanted : width - 1;  // every lane takes part in the sums
  const auto pixel = [&](unsigned frame) { return ((int64_t{frame} * height + row) * width + column) * op.channels; };
  Element* target = static_cast<Element*>(op.extended) + pixel(out_frame);

  const bool copied = out_frame < 2 && op.before != nullptr;
  const unsigned frame = copied ? out_frame : (out_frame < 2 ? 0 : out_frame - 2);
  const Element* source = static_cast<const Element*>(copied ? op.before : op.x) + pixel(frame);

  float values[kVectors][kStep];
  float square = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    load(source + (v * lanes + threadIdx.x) * kStep, values[v]);
#pragma unroll
    for (int i = 0; i < kStep; ++i) square += values[v][i] * values[v][i];
  }
  const float length = sqrtf(sum_over_lanes(square, lanes));
  const float scale = sqrtf(static_cast<float>(op.channels)) / fmaxf(length, kSmallestNorm);
  if (!inside) return;

  const int64_t latent = op.factor ? latent_offset(op, frame, row, column) : 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int channel = (v * lanes + static_cast<int>(threadIdx.x)) * kStep;
    if (!copied) {
      float gamma[kStep];
      load(op.gamma + channel, gamma);
#pragma unroll
      for (int i = 0; i < kStep; ++i) values[v][i] *= scale * gamma[i];
      if (op.factor) {
        float factor[kStep];
        float offset[kStep];
        load(static_cast<const Element*>(op.factor) + latent + channel, factor);
        load(static_cast<const Element*>(op.offset) + latent + channel, offset);
#pragma unroll
        for (int i = 0; i < kStep; ++i) values[v][i] = values[v][i] * factor[i] + offset[i];
      }
#pragma unroll
      for (int i = 0; i < kStep; ++i) values[v][i] = silu(values[v][i]);
    }
    store(target + channel, values[v]);
  }
}

struct Lanes {
  int lanes;    // that share a pixel, a power of two
  int vectors;  // of 16 bytes for each of them
};

Lanes share_channels(int64_t channels, ElementType type) {
  const int64_t vectors = channels / (type == ElementType::bfloat16 ? 8 : 4);
  int lanes = 1;
  while (lanes < kMostLanes && vectors % (2 * lanes) == 0) lanes *= 2;
  return {lanes, static_cast<int>(vectors / lanes)};
}

template <typename Element>
void launch(const NormSilu& op, Lanes share, cudaStream_t stream) {
  const dim3 block(share.lanes, kThreads / share.lanes);
  const dim3 grid(static_cast<unsigned>((op.frames + 2) * op.height), block_count(op.width, block.y));
  switch (share.vectors) {
    case 1: norm_silu_kernel<Element, 1><<<grid, block, 0, stream>>>(op); break;
    case 2: norm_silu_kernel<Element, 2><<<grid, block, 0, stream>>>(op); break;
    case 3: norm_silu_kernel<Element, 3><<<grid, block, 0, stream>>>(op); break;
    case 4: norm_silu_kernel<Element, 4><<<grid, block, 0, stream>>>(op); break;
  }
  check_launch("norm_silu");
}

}  // namespace

bool norm_silu_takes(int64_t channels, ElementType type) {
  const int64_t width = type == ElementType::bfloat16 ? 8 : 4;
  return channels % width == 0 && share_channels(channels, type).vectors <= kMostVectors;
}

void norm_silu(const NormSilu& op, ElementType type, Stream stream) {
  const Lanes share = share_channels(op.channels, type);
  if (type == ElementType::bfloat16) {
    launch<__nv_bfloat16>(op, share, as_stream(stream));
  } else {
    launch<float>(op, share, as_stream(stream));
  }
}

}  // namespace faststar::cuda
