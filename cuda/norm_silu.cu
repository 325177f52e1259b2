// Norm over channels, modulation by latents, SiLU, and the two frames that a causal convolution needs before
// its input (core/model/vae/norm_silu.h); before that the convolution's bias and a residual are added to x. A block
// takes a stretch of one image line; 1 to 32 neighbouring lanes share a pixel and keep its channels in registers, so
// that x is read once and the result written once, 16 bytes at a time. At 96 to 384 channels each lane holds three such
// vectors. ATen's chain reads and writes float32 temporaries of the size of x about ten times for the same, and copies
// the result once more to put two frames before it; bias and residual are two more passes over x. Factor and offset are
// gathered from latents that are 1/4 to 1/256 of the size of x and stay in cache. H200, `bench ops`: 2,660 to 3,100
// GB/s at the sizes of a 720p decode.
#include "cuda/norm_silu.cuh"

namespace faststar::cuda {
namespace {

/// The pixel that a group of lanes works on.
struct Pixel {
  unsigned video, out_frame, row, column;
  unsigned frame;  // read: of `before` when copied, else of x
  bool copied;
  bool inside;  // false beyond the line's end, where the last pixel is read but nothing written
};

// 32-bit divisions, here and in latent_of: 64-bit ones would cost as much as the rest of the kernel.
__device__ Pixel pixel_of_thread(const NormSilu& op) {
  const unsigned height = static_cast<unsigned>(op.height);
  const unsigned width = static_cast<unsigned>(op.width);
  const unsigned column = blockIdx.y * blockDim.y + threadIdx.y;
  Pixel pixel;
  pixel.video = blockIdx.z;
  pixel.out_frame = blockIdx.x / height;
  pixel.row = blockIdx.x - pixel.out_frame * height;
  pixel.inside = column < width;
  pixel.column = pixel.inside ? column : width - 1;
  pixel.copied = pixel.out_frame < 2 && op.before != nullptr;
  pixel.frame = pixel.copied ? pixel.out_frame : (pixel.out_frame < 2 ? 0 : pixel.out_frame - 2);
  return pixel;
}

/// Index of a pixel's first channel in [batch, frames, height, width, channels].
__device__ int64_t offset_of(const NormSilu& op, int64_t frames, unsigned frame, const Pixel& pixel) {
  return (((pixel.video * frames + frame) * op.height + pixel.row) * op.width + pixel.column) * op.channels;
}

/// Index of the first channel of the latent that covers a pixel. At the video's start the first latent covers frame 0
/// alone.
__device__ int64_t latent_of(const NormSilu& op, const Pixel& pixel) {
  const unsigned period = static_cast<unsigned>(op.frames_per_latent);
  const unsigned side = static_cast<unsigned>(op.pixels_per_latent);
  const unsigned t = (pixel.frame + (op.before ? 0 : period - 1)) / period;
  const int64_t row = (pixel.video * op.latent_frames + t) * op.latent_height + pixel.row / side;
  return (row * op.latent_width + pixel.column / side) * op.channels;
}

__device__ float silu(float value) { return __fdividef(value, 1.0f + __expf(-value)); }

/// x with bias and residual added; `at` is the index of the pixel's first channel in x.
template <typename T>
__device__ Vector<T> add_to(const Vector<T>& x, const NormSilu& op, int64_t at, int channel) {
  constexpr int kSize = Vector<T>::kSize;
  FloatBlock<kSize> sum;
#pragma unroll
  for (int i = 0; i < kSize; ++i) sum.value[i] = to_float(x.value[i]);
  if (op.bias) {
    const auto bias = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.bias) + channel);
#pragma unroll
    for (int i = 0; i < kSize; ++i) sum.value[i] += to_float(bias.value[i]);
  }
  if (op.residual) {
    const auto residual = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.residual) + at + channel);
#pragma unroll
    for (int i = 0; i < kSize; ++i) sum.value[i] += to_float(residual.value[i]);
  }
  Vector<T> result;
#pragma unroll
  for (int i = 0; i < kSize; ++i) result.value[i] = from_float<T>(sum.value[i]);
  return result;
}

/// silu(x * scale * gamma * factor + offset) for the channels from `channel` on.
template <typename T>
__device__ Vector<T> norm_silu_of(const Vector<T>& x, float scale, const NormSilu& op, int64_t latent, int channel) {
  constexpr int kSize = Vector<T>::kSize;
  const auto gamma = *reinterpret_cast<const FloatBlock<kSize>*>(op.gamma + channel);
  FloatBlock<kSize> y;
#pragma unroll
  for (int i = 0; i < kSize; ++i) y.value[i] = to_float(x.value[i]) * scale * gamma.value[i];
  if (op.factor) {
    const auto factor = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.factor) + latent + channel);
    const auto offset = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.offset) + latent + channel);
#pragma unroll
    for (int i = 0; i < kSize; ++i) y.value[i] = y.value[i] * to_float(factor.value[i]) + to_float(offset.value[i]);
  }
  Vector<T> result;
#pragma unroll
  for (int i = 0; i < kSize; ++i) result.value[i] = from_float<T>(silu(y.value[i]));
  return result;
}

template <typename T, int kVectors>
__global__ void norm_silu_kernel(const NormSilu op) {
  const unsigned lanes = blockDim.x;
  const Pixel pixel = pixel_of_thread(op);
  const int64_t at = offset_of(op, pixel.copied ? 2 : op.frames, pixel.frame, pixel);
  const T* source = static_cast<const T*>(pixel.copied ? op.before : op.x) + at;
  T* target = static_cast<T*>(op.extended) + offset_of(op, op.frames + 2, pixel.out_frame, pixel);
  const auto channel = [&](int v) { return static_cast<int>(v * lanes + threadIdx.x) * Vector<T>::kSize; };

  const bool adds = !pixel.copied && (op.bias || op.residual);
  Vector<T> held[kVectors];
  float squares = 0.0f;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    held[v] = *reinterpret_cast<const Vector<T>*>(source + channel(v));
    if (adds) held[v] = add_to(held[v], op, at, channel(v));
#pragma unroll
    for (int i = 0; i < Vector<T>::kSize; ++i) squares += to_float(held[v].value[i]) * to_float(held[v].value[i]);
  }
  // Every lane takes part in the sum, so none may return before it.
  const float length = sqrtf(sum_over_lanes(squares, lanes));
  if (!pixel.inside) return;
  if (op.sum && pixel.out_frame >= 2) {  // frames before those repeat the first one
#pragma unroll
    for (int v = 0; v < kVectors; ++v)
      *reinterpret_cast<Vector<T>*>(static_cast<T*>(op.sum) + at + channel(v)) = held[v];
  }

  const float scale = sqrtf(static_cast<float>(op.channels)) / fmaxf(length, kSmallestNorm);
  const int64_t latent = op.factor ? latent_of(op, pixel) : 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    *reinterpret_cast<Vector<T>*>(target + channel(v)) =
        pixel.copied ? held[v] : norm_silu_of(held[v], scale, op, latent, channel(v));
  }
}

}  // namespace

bool norm_silu_takes(int64_t channels, FloatType type) {
  const int64_t size = type == FloatType::bfloat16 ? 8 : 4;
  return channels > 0 && channels % size == 0 && share_channels(channels, type).vectors <= kNormSiluMaxVectors;
}

void norm_silu(const NormSilu& op, FloatType type, Stream stream) {
  require_norm_silu_operands(op, type);
  require(aligned_to(16, op.extended, op.bias, op.residual, op.sum), "norm_silu: operands are aligned to 16 bytes");
  const Share share = share_channels(op.channels, type);
  const dim3 block(share.lanes, kNormSiluThreads / share.lanes);
  const Grid grid{(op.frames + 2) * op.height, block_count(op.width, block.y), op.batch};
  with_share(type, share, [&]<typename T, int kVectors>() {
    launch("norm_silu", norm_silu_kernel<T, kVectors>, grid, block, stream, op);
  });
}

}  // namespace faststar::cuda
