#include "core/model/star/rope.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

namespace faststar {
namespace {

constexpr int kAxes = 4;  // scale, frame, height, width
constexpr double kBase = 10000.0;

/// Angles of `positions` on one axis: [count, D/8] float32.
Tensor axis_angles(const std::vector<int>& positions, int64_t head_dim) {
  const int64_t pairs = head_dim / 2 / kAxes;
  const Tensor exponent = at::arange(pairs, at::kLong).to(at::kFloat) / static_cast<double>(pairs);
  const Tensor inverse_frequency = at::pow(at::Scalar(kBase), exponent).reciprocal();
  const Tensor position = at::tensor(positions, at::kInt).to(at::kFloat);
  return at::outer(position, inverse_frequency);
}

/// Angles of one axis over the grid [t, h, w, D/8]; `axis` is the grid dimension that varies (0 t, 1 h, 2 w), 3 for
/// none.
Tensor spread(const Tensor& angles, int axis, const Scale& grid) {
  std::vector<int64_t> shape = {1, 1, 1, angles.size(1)};
  if (axis < 3) shape[axis] = angles.size(0);
  return angles.view(shape).expand({grid.t, grid.h, grid.w, angles.size(1)});
}

/// Trigonometry on the few angles of an axis, on the CPU so that every device gets the same; then the grid.
Rope rope_of_axes(const std::vector<Tensor>& angles, const std::vector<int>& axes, const Scale& grid,
                  at::Device device) {
  std::vector<Tensor> cosines;
  std::vector<Tensor> sines;
  for (size_t i = 0; i < angles.size(); ++i) {
    cosines.push_back(spread(angles[i].cos().to(device), axes[i], grid));
    sines.push_back(spread(angles[i].sin().to(device), axes[i], grid));
  }
  return {at::cat(cosines, -1).flatten(0, 2), at::cat(sines, -1).flatten(0, 2)};  // [t h w, D/2]
}

}  // namespace

std::vector<int> consecutive(int begin, int end) {
  std::vector<int> numbers(static_cast<size_t>(end - begin));
  std::iota(numbers.begin(), numbers.end(), begin);
  return numbers;
}

std::vector<int> positions_on_full_grid(int size, int full) {
  const auto ratio = static_cast<float>(static_cast<double>(full) / size);
  std::vector<int> positions;
  for (int i = 0; i < size; ++i) positions.push_back(static_cast<int>(std::nearbyint(static_cast<float>(i) * ratio)));
  return positions;
}

Rope visual_rope(const RopePositions& positions, int64_t head_dim, at::Device device) {
  const Scale& grid = positions.grid;
  return rope_of_axes({axis_angles({positions.scale}, head_dim), axis_angles(positions.frames, head_dim),
                       axis_angles(positions_on_full_grid(grid.h, positions.full.h), head_dim),
                       axis_angles(positions_on_full_grid(grid.w, positions.full.w), head_dim)},
                      {3, 0, 1, 2}, grid, device);
}

Rope gather_rope(const Rope& rope, const Tensor& tokens) {
  return {rope.cos.index_select(0, tokens), rope.sin.index_select(0, tokens)};
}

Rope text_rope(int64_t length, int64_t head_dim, at::Device device) {
  const Tensor zero = axis_angles({0}, head_dim);
  return rope_of_axes({axis_angles(consecutive(0, static_cast<int>(length)), head_dim), zero, zero, zero}, {0, 3, 3, 3},
                      {static_cast<int>(length), 1, 1}, device);
}

}  // namespace faststar
