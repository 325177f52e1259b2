// Decoded pixels to the 4:2:0 planes of a video file (core/model/vae/yuv420.h). A block makes 64 x 16 pixels of a
// frame: it reads them with the 3 around that the chroma filter needs, keeps their chroma in shared memory and halves
// it there, first along lines, then across. Each pixel moves 6 B in (bf16, 9 B with what neighbouring blocks read
// again) and 1.5 B out. ATen's chain of to_frames and integer sums moves about 250 B, and 3 B instead of 1.5 would go
// to the host. H200, `bench ops`: 0.077 ms for 8 frames of 720p, 722 GB/s.
#include "cuda/bt601.h"
#include "cuda/launch.cuh"

namespace faststar::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTileWidth = 64, kTileHeight = 16;
constexpr int kAround = bt601::kTaps - 2;  // pixels besides the tile's own, before and after together
constexpr int kColumns = kTileWidth + kAround, kRows = kTileHeight + kAround;

/// A decoded value as to_frames makes it a level: every step rounded to T. NaN becomes 0.
template <typename T>
__device__ int level_of(T value) {
  const float unit = rounded<T>(rounded<T>(to_float(value) + 1.0f) * 0.5f);
  return static_cast<int>(rounded<T>(fminf(fmaxf(unit, 0.0f), 1.0f) * 255.0f));
}

struct Rgb {
  int red, green, blue;
};

/// One channel with 6 bits below a level. The constants are template arguments: device code cannot take their address.
template <bt601::Weights kWeights>
__device__ int weighted(Rgb pixel) {
  constexpr bt601::Weights weights = kWeights;
  return (weights.red * pixel.red + weights.green * pixel.green + weights.blue * pixel.blue + weights.offset) >>
         bt601::kShift;
}

/// Sum over the filter's taps of what `sample` returns for each.
template <bt601::Taps kTaps, typename Sample>
__device__ int filtered(Sample&& sample) {
  constexpr bt601::Taps taps = kTaps;
  int sum = 0;
#pragma unroll
  for (int tap = 0; tap < bt601::kTaps; ++tap) sum += taps.weight[tap] * sample(tap);
  return sum;
}

template <typename T>
__global__ void __launch_bounds__(kThreads) yuv420_kernel(const Yuv420 op) {
  __shared__ int16_t wide[2][kRows][kColumns];          // U and V of every pixel
  __shared__ int16_t narrow[2][kRows][kTileWidth / 2];  // halved along lines
  const int height = static_cast<int>(op.height), width = static_cast<int>(op.width);
  const int left = static_cast<int>(blockIdx.x) * kTileWidth, top = static_cast<int>(blockIdx.y) * kTileHeight;
  const int64_t pixels = op.height * op.width;
  const T* decoded = static_cast<const T*>(op.decoded) + blockIdx.z * pixels * 3;
  uint8_t* luma = op.planes + blockIdx.z * (pixels + pixels / 2);

  for (int i = static_cast<int>(threadIdx.x); i < kRows * kColumns; i += kThreads) {
    const int row = i / kColumns, column = i % kColumns;
    const int y = top + row - bt601::kTapsBefore, x = left + column - bt601::kTapsBefore;
    const int inside_y = min(max(y, 0), height - 1), inside_x = min(max(x, 0), width - 1);
    const T* pixel = decoded + (int64_t{inside_y} * width + inside_x) * 3;
    const Rgb rgb = {level_of(pixel[0]), level_of(pixel[1]), level_of(pixel[2])};
    wide[0][row][column] = static_cast<int16_t>(weighted<bt601::kU>(rgb));
    wide[1][row][column] = static_cast<int16_t>(weighted<bt601::kV>(rgb));
    const bool own = y >= top && y < top + kTileHeight && x >= left && x < left + kTileWidth;
    if (own && y < height && x < width) {
      const int rounding = 1 << (bt601::kLumaShift - 1);
      luma[int64_t{y} * width + x] = static_cast<uint8_t>((weighted<bt601::kY>(rgb) + rounding) >> bt601::kLumaShift);
    }
  }
  __syncthreads();
  constexpr int kHalf = kTileWidth / 2;
  for (int i = static_cast<int>(threadIdx.x); i < 2 * kRows * kHalf; i += kThreads) {
    const int plane = i / (kRows * kHalf), row = i / kHalf % kRows, column = i % kHalf;
    const int sum = filtered<bt601::kAlongLine>([&](int tap) { return wide[plane][row][2 * column + tap]; });
    narrow[plane][row][column] = static_cast<int16_t>(min(sum >> bt601::kAlongLineShift, bt601::kAlongLineMax));
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < kTileHeight * kHalf; i += kThreads) {
    const int plane = i / (kTileHeight / 2 * kHalf), row = i / kHalf % (kTileHeight / 2), column = i % kHalf;
    const int y = top / 2 + row, x = left / 2 + column;
    if (y >= height / 2 || x >= width / 2) continue;
    const int sum = filtered<bt601::kAcrossLines>([&](int tap) { return narrow[plane][2 * row + tap][column]; });
    const int rounded_up = (sum + (1 << (bt601::kAcrossLinesShift - 1))) >> bt601::kAcrossLinesShift;
    uint8_t* chroma = luma + pixels + plane * (pixels / 4);
    chroma[int64_t{y} * (width / 2) + x] = static_cast<uint8_t>(min(max(rounded_up, 0), 255));
  }
}

}  // namespace

void yuv420(const Yuv420& op, FloatType type, Stream stream) {
  require(op.height % 2 == 0 && op.width % 2 == 0, "yuv420: height and width are even");
  const Grid grid{block_count(op.width, kTileWidth), block_count(op.height, kTileHeight), op.frames};
  with_type(type, [&]<typename T>() { launch("yuv420", yuv420_kernel<T>, grid, kThreads, stream, op); });
}

}  // namespace faststar::cuda
