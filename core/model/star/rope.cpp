#include "core/model/star/rope.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

namespace faststar {
namespace {

constexpr int kAxes = 4;  // scale, frame, height, width
constexpr double kBase = 10000.0;

/// Angles of positions along dimension `axis` of a grid [t, h, w]: [count, 1, 1, D/8] and so on, float32.
Tensor axis_angles(const std::vector<int>& positions, size_t axis, int64_t head_dim) {
  const int64_t pairs = head_dim / 2 / kAxes;
  const Tensor exponent = at::arange(pairs, at::kLong).to(at::kFloat) / static_cast<double>(pairs);
  const Tensor inverse_frequency = at::pow(at::Scalar(kBase), exponent).reciprocal();
  const Tensor position = at::tensor(positions, at::kInt).to(at::kFloat);
  std::vector<int64_t> shape = {1, 1, 1, pairs};
  shape[axis] = static_cast<int64_t>(positions.size());
  return at::outer(position, inverse_frequency).view(shape);
}

/// Trigonometry on the few angles of an axis, on the CPU so that every device gets the same; then the grid.
Rope rope_of_axes(const std::vector<Tensor>& angles, const Scale& grid, at::Device device) {
  const auto on_grid = [&](const Tensor& axis) {
    return axis.to(device).expand({grid.t, grid.h, grid.w, axis.size(3)});
  };
  std::vector<Tensor> cosines;
  std::vector<Tensor> sines;
  for (const Tensor& axis : angles) {
    cosines.push_back(on_grid(axis.cos()));
    sines.push_back(on_grid(axis.sin()));
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
  return rope_of_axes({axis_angles({positions.scale}, 0, head_dim), axis_angles(positions.frames, 0, head_dim),
                       axis_angles(positions_on_full_grid(grid.h, positions.full.h), 1, head_dim),
                       axis_angles(positions_on_full_grid(grid.w, positions.full.w), 2, head_dim)},
                      grid, device);
}

Rope gather_rope(const Rope& rope, const Tensor& tokens) {
  return {rope.cos.index_select(0, tokens), rope.sin.index_select(0, tokens)};
}

Rope text_rope(int64_t length, int64_t head_dim, at::Device device) {
  const Tensor zero = axis_angles({0}, 0, head_dim);
  const int end = static_cast<int>(length);
  return rope_of_axes({axis_angles(consecutive(0, end), 0, head_dim), zero, zero, zero}, {end, 1, 1}, device);
}

}  // namespace faststar
