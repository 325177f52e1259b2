// Channels to frames and pixels, with bias and shortcut (core/model/vae/depth_to_space.h). For one frame and row of the
// result, the channels of a pixel of u that become its two columns lie together in u and in the result: a thread moves
// 16 bytes of them, both ways in order. Each element moves once in and once out (4 B in bf16), besides the shortcut's
// 1/8 to 1 elements, which caches repeat. ATen moves 12 B: a pass for the bias, a copy in the new order, an addition.
// H200, `bench ops`: 2,330 to 2,570 GB/s at the sizes of a 720p decode.
#include "cuda/launch.cuh"

namespace faststar::cuda {
namespace {

constexpr int kThreads = 256;

/// A frame of the result: the frame of u that it comes from, and which of the frames that this becomes.
struct Source {
  int64_t frame;
  int64_t part;
  int64_t parts;  // frames of the result that are averaged: all for a first frame that stays one
};

__device__ Source source_of(const DepthToSpace& op, int64_t out_frame) {
  const int64_t extra = op.time * op.frames - op.out_frames;  // frames that the first one does not become
  if (extra > 0 && out_frame == 0) return {0, 0, op.time};
  const int64_t position = out_frame + extra;
  return {position / op.time, position % op.time, 1};
}

template <typename T>
__global__ void __launch_bounds__(kThreads) depth_to_space_kernel(const DepthToSpace op) {
  constexpr int kSize = Vector<T>::kSize;
  const unsigned columns = static_cast<unsigned>(2 * op.channels / kSize);  // vectors that a pixel of u gives to a row
  const unsigned position = blockIdx.y * kThreads + threadIdx.x;
  const unsigned column = position / columns;
  if (column >= op.width) return;
  const int64_t channel = int64_t{position - column * columns} * kSize;

  const int64_t row = blockIdx.x % (2 * op.height);
  const int64_t frame = blockIdx.x / (2 * op.height) % op.out_frames;
  const int64_t video = blockIdx.x / (2 * op.height) / op.out_frames;
  const Source source = source_of(op, frame);
  const int64_t pixel = ((video * op.frames + source.frame) * op.height + row / 2) * op.width + column;

  float sum[kSize] = {};
  for (int64_t part = source.part; part < source.part + source.parts; ++part) {
    const int64_t at = (2 * part + row % 2) * 2 * op.channels + channel;
    const int64_t width = op.time * 4 * op.channels;
    const auto u = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.u) + pixel * width + at);
    Vector<T> bias = {};
    if (op.bias) bias = *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.bias) + at);
#pragma unroll
    for (int i = 0; i < kSize; ++i) sum[i] += to_float(u.value[i]) + to_float(bias.value[i]);
  }
  // The shortcut tells rows and columns apart, columns alone, or nothing.
  const int64_t apart = op.shortcut_channels == 4 * op.channels   ? row % 2 * 2 * op.channels + channel
                        : op.shortcut_channels == 2 * op.channels ? channel
                                                                  : channel % op.channels;
  const auto shortcut =
      *reinterpret_cast<const Vector<T>*>(static_cast<const T*>(op.shortcut) + pixel * op.shortcut_channels + apart);
  const float share = 1.0f / static_cast<float>(source.parts);
  Vector<T> result;
#pragma unroll
  for (int i = 0; i < kSize; ++i) result.value[i] = from_float<T>(sum[i] * share + to_float(shortcut.value[i]));
  T* out = static_cast<T*>(op.out) + int64_t{blockIdx.x} * 2 * op.width * op.channels;
  *reinterpret_cast<Vector<T>*>(out + int64_t{position} * kSize) = result;
}

}  // namespace

void depth_to_space(const DepthToSpace& op, FloatType type, Stream stream) {
  require(op.shortcut_channels == op.channels || op.shortcut_channels == 2 * op.channels ||
              op.shortcut_channels == 4 * op.channels,
          "depth_to_space: the shortcut has 1, 2 or 4 times the channels");
  with_type(type, [&]<typename T>() {
    require(vectorizable<T>(op.channels, op.u, op.bias, op.shortcut, op.out),
            "depth_to_space: channels and addresses are made of 16 bytes");
    const Grid grid{op.batch * op.out_frames * 2 * op.height,
                    block_count(op.width * 2 * op.channels / Vector<T>::kSize, kThreads)};
    launch("depth_to_space", depth_to_space_kernel<T>, grid, kThreads, stream, op);
  });
}

}  // namespace faststar::cuda
