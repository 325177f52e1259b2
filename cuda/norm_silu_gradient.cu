// Gradients of norm_silu (core/model/vae/norm_silu.h) in one sweep over x and the gradient of the result. The pixels
// that a latent covers are a cell, and a cell belongs to one block, so the sums for factor and offset are complete
// there: nothing is added up in memory, and a repeated run gives the same bits. The sums for gamma are left as one row
// a block. ATen's chain reads and writes about thirty float32 temporaries of the size of x for the same.
#include <limits>

#include "cuda/norm_silu.cuh"

namespace faststar::cuda {
namespace {

constexpr int kWarps = kNormSiluThreads / 32;
constexpr int64_t kPixelsPerThread = 4;  // about: sums over threads cost as much as some pixels

/// Where a thread works: one of the `slots` that share the pixels of a cell.
struct Place {
  bool exists;  // false beyond the last cell
  unsigned cell, slot, slots;
  unsigned video, latent_frame, latent_row, latent_column;
};

__device__ Place place_of_thread(const NormSilu& op, unsigned slots) {
  Place place;
  place.slots = slots;
  place.cell = blockIdx.x * (blockDim.y / slots) + threadIdx.y / slots;
  place.slot = threadIdx.y % slots;
  const unsigned columns = static_cast<unsigned>(op.latent_width);
  const unsigned rows = static_cast<unsigned>(op.latent_height);
  const unsigned frames = static_cast<unsigned>(op.latent_frames);
  place.latent_column = place.cell % columns;
  place.latent_row = place.cell / columns % rows;
  place.latent_frame = place.cell / columns / rows % frames;
  place.video = place.cell / columns / rows / frames;
  place.exists = place.video < op.batch;
  return place;
}

struct Pixel {
  bool inside;
  bool repeated;  // the video's first frame, which the result holds three times
  int64_t in;     // index of the first channel in x
  int64_t out;    // index of the first channel in the result
};

/// Pixel `index` of a cell. The first latent of a video's start covers frame 0 alone.
__device__ Pixel pixel_of_cell(const NormSilu& op, const Place& place, unsigned index) {
  const unsigned side = static_cast<unsigned>(op.pixels_per_latent);
  const unsigned period = static_cast<unsigned>(op.frames_per_latent);
  const bool at_start = op.before == nullptr;
  const unsigned t = index / (side * side);
  const unsigned row = place.latent_row * side + index / side % side;
  const unsigned column = place.latent_column * side + index % side;
  const bool lone = at_start && place.latent_frame == 0;
  const unsigned first = at_start ? (lone ? 0 : (place.latent_frame - 1) * period + 1) : place.latent_frame * period;
  const unsigned frame = first + t;
  Pixel pixel;
  pixel.inside = place.exists && t < (lone ? 1 : period) && row < op.height && column < op.width;
  pixel.repeated = lone;
  const int64_t line = op.width * op.channels;
  const int64_t in_frame = row * line + column * op.channels;
  pixel.in = (place.video * op.frames + frame) * op.height * line + in_frame;
  pixel.out = (place.video * (op.frames + 2) + frame + 2) * op.height * line + in_frame;
  return pixel;
}

/// The gradient of the pixel's result as float32, all frames that repeat it together.
template <typename T>
__device__ FloatBlock<Vector<T>::kSize> gradient_at(const NormSiluGradient& g, const Pixel& pixel, int channel) {
  const T* result = static_cast<const T*>(g.grad_out) + pixel.out + channel;
  FloatBlock<Vector<T>::kSize> sum = {};
  for (int back = pixel.repeated ? 2 : 0; back >= 0; --back) {
    const auto part = *reinterpret_cast<const Vector<T>*>(result - back * g.op.height * g.op.width * g.op.channels);
#pragma unroll
    for (int i = 0; i < Vector<T>::kSize; ++i) sum.value[i] += to_float(part.value[i]);
  }
  return sum;
}

/// The running sums of a thread for the channels of one vector.
template <int kSize>
struct Sums {
  float factor[kSize] = {};
  float offset[kSize] = {};
  float gamma[kSize] = {};
};

/// What one vector of a pixel contributes: gradient with respect to x * scale, and the sums. Each value is
/// silu(z), z = y * factor + offset, y = unit * gamma, unit = x * scale.
template <typename T>
__device__ FloatBlock<Vector<T>::kSize> differentiate(const NormSilu& op, const Vector<T>& x, float scale,
                                                      const FloatBlock<Vector<T>::kSize>& grad_out, int64_t latent,
                                                      int channel, Sums<Vector<T>::kSize>& sums) {
  constexpr int kSize = Vector<T>::kSize;
  const auto gamma = *reinterpret_cast<const FloatBlock<kSize>*>(op.gamma + channel);
  Vector<T> factor, offset;
  if (op.factor) {
    factor = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.factor) + latent + channel);
    offset = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.offset) + latent + channel);
  }
  FloatBlock<kSize> grad_unit;
#pragma unroll
  for (int i = 0; i < kSize; ++i) {
    const float unit = to_float(x.value[i]) * scale;
    const float y = unit * gamma.value[i];
    const float f = op.factor ? to_float(factor.value[i]) : 1.0f;
    const float z = op.factor ? y * f + to_float(offset.value[i]) : y;
    const float gate = __fdividef(1.0f, 1.0f + __expf(-z));
    const float grad_z = grad_out.value[i] * gate * (1.0f + z * (1.0f - gate));
    sums.offset[i] += grad_z;
    sums.factor[i] += grad_z * y;
    sums.gamma[i] += grad_z * f * unit;
    grad_unit.value[i] = grad_z * f * gamma.value[i];
  }
  return grad_unit;
}

/// Sums over the threads of each group that hold the same channels, complete in the group's first `lanes` threads.
/// `group` is a power of two, at least `lanes`. All threads of the block take part.
template <int kSize>
__device__ void sum_over_group(float (&values)[kSize], unsigned lanes, unsigned group) {
  for (unsigned distance = lanes; distance < 32 && distance < group; distance *= 2) {
#pragma unroll
    for (int i = 0; i < kSize; ++i) values[i] += __shfl_xor_sync(0xffffffffu, values[i], static_cast<int>(distance));
  }
  if (group <= 32) return;
  __shared__ float partial[kWarps][kSize][32];
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
  const unsigned lane = thread % 32;
  __syncthreads();  // `partial` may still be read
#pragma unroll
  for (int i = 0; i < kSize; ++i) partial[thread / 32][i][lane] = values[i];
  __syncthreads();
  if (thread % group >= lanes) return;
  for (unsigned warp = 1; warp < group / 32; ++warp) {
#pragma unroll
    for (int i = 0; i < kSize; ++i) values[i] += partial[thread / 32 + warp][i][lane];
  }
}

template <typename T>
__device__ void store(void* target, int64_t index, const float* values) {
  Vector<T> rounded;
#pragma unroll
  for (int i = 0; i < Vector<T>::kSize; ++i) rounded.value[i] = from_float<T>(values[i]);
  *reinterpret_cast<Vector<T>*>(static_cast<T*>(target) + index) = rounded;
}

/// The gradient of one pixel: written for x, added to the sums for the others.
template <typename T, int kVectors>
__device__ void differentiate_pixel(const NormSiluGradient& g, const Pixel& pixel, int64_t latent,
                                    Sums<Vector<T>::kSize> (&sums)[kVectors]) {
  constexpr int kSize = Vector<T>::kSize;
  const unsigned lanes = blockDim.x;
  const auto channel = [&](int v) { return static_cast<int>(v * lanes + threadIdx.x) * kSize; };
  Vector<T> x[kVectors] = {};
  float squares = 0.0f;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (pixel.inside) x[v] = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(g.op.x) + pixel.in + channel(v));
#pragma unroll
    for (int i = 0; i < kSize; ++i) squares += to_float(x[v].value[i]) * to_float(x[v].value[i]);
  }
  const float length = sqrtf(sum_over_lanes(squares, lanes));
  const float inverse = 1.0f / fmaxf(length, kSmallestNorm);
  const float scale = sqrtf(static_cast<float>(g.op.channels)) * inverse;

  FloatBlock<kSize> grad_unit[kVectors] = {};
  float dot = 0.0f;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (pixel.inside) {
      grad_unit[v] =
          differentiate<T>(g.op, x[v], scale, gradient_at<T>(g, pixel, channel(v)), latent, channel(v), sums[v]);
    }
#pragma unroll
    for (int i = 0; i < kSize; ++i) dot += grad_unit[v].value[i] * to_float(x[v].value[i]);
  }
  dot = sum_over_lanes(dot, lanes);  // every lane takes part, inside or not
  // Below the smallest length the norm divides by a constant.
  const float share = length < kSmallestNorm ? 0.0f : dot * inverse * inverse;
  if (!pixel.inside) return;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
#pragma unroll
    for (int i = 0; i < kSize; ++i) {
      grad_unit[v].value[i] = scale * (grad_unit[v].value[i] - to_float(x[v].value[i]) * share);
    }
    store<T>(g.grad_x, pixel.in + channel(v), grad_unit[v].value);
  }
}

template <typename T, int kVectors>
__global__ void __launch_bounds__(kNormSiluThreads, kVectors == 1 ? 3 : 1)
    norm_silu_gradient_kernel(const NormSiluGradient g, unsigned slots) {
  constexpr int kSize = Vector<T>::kSize;
  const unsigned lanes = blockDim.x;
  const Place place = place_of_thread(g.op, slots);
  const int64_t latent = int64_t{place.cell} * g.op.channels;
  const auto pixels = static_cast<unsigned>(g.op.frames_per_latent * g.op.pixels_per_latent * g.op.pixels_per_latent);
  Sums<kSize> sums[kVectors];
  for (unsigned first = 0; first < pixels; first += slots) {  // as many rounds in every thread: warps sum together
    Pixel pixel = pixel_of_cell(g.op, place, first + place.slot);
    pixel.inside = pixel.inside && first + place.slot < pixels;
    differentiate_pixel<T, kVectors>(g, pixel, latent, sums);
  }
  const unsigned thread = threadIdx.y * lanes + threadIdx.x;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int channel = static_cast<int>(v * lanes + threadIdx.x) * kSize;
    if (g.op.factor) {
      sum_over_group(sums[v].factor, lanes, slots * lanes);
      sum_over_group(sums[v].offset, lanes, slots * lanes);
      if (place.exists && place.slot == 0) {
        store<T>(g.grad_factor, latent + channel, sums[v].factor);
        store<T>(g.grad_offset, latent + channel, sums[v].offset);
      }
    }
    sum_over_group(sums[v].gamma, lanes, kNormSiluThreads);
    if (thread < lanes) {
#pragma unroll
      for (int i = 0; i < kSize; ++i) g.grad_gamma[blockIdx.x * g.op.channels + channel + i] = sums[v].gamma[i];
    }
  }
}

int64_t cell_count(const NormSilu& op) { return op.batch * op.latent_frames * op.latent_height * op.latent_width; }

/// How many threads' worth of pixels share a cell: a power of two.
unsigned slots_of_cell(const NormSilu& op, Share share) {
  const int64_t pixels = op.frames_per_latent * op.pixels_per_latent * op.pixels_per_latent;
  const int64_t most = kNormSiluThreads / share.lanes;
  unsigned slots = 1;
  while (slots < most && slots * kPixelsPerThread < pixels) slots *= 2;
  return slots;
}

}  // namespace

int64_t norm_silu_gradient_blocks(const NormSilu& op, FloatType type) {
  const Share share = share_channels(op.channels, type);
  return block_count(cell_count(op) * slots_of_cell(op, share), kNormSiluThreads / share.lanes);
}

void norm_silu_gradient(const NormSiluGradient& gradient, FloatType type, Stream stream) {
  const NormSilu& op = gradient.op;
  require_norm_silu_operands(op, type);
  require(aligned_to(16, gradient.grad_out, gradient.grad_x, gradient.grad_factor, gradient.grad_offset),
          "norm_silu_gradient: gradients are aligned to 16 bytes");
  require(cell_count(op) <= std::numeric_limits<unsigned>::max(), "norm_silu_gradient: too many latents");
  const Share share = share_channels(op.channels, type);
  const dim3 block(share.lanes, kNormSiluThreads / share.lanes);
  with_share(type, share, [&]<typename T, int kVectors>() {
    launch("norm_silu_gradient", norm_silu_gradient_kernel<T, kVectors>, {norm_silu_gradient_blocks(op, type)}, block,
           stream, gradient, slots_of_cell(op, share));
  });
}

}  // namespace faststar::cuda
