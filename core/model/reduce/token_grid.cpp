#include "core/model/reduce/token_grid.h"

#include <ATen/ATen.h>

#include <limits>
#include <vector>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// Positions [begin, end) of `full` that cell `index` of `cells` covers.
struct Span {
  Span(int64_t index, int64_t cells, int64_t full)
      : begin(index * full / cells), end(((index + 1) * full + cells - 1) / cells) {}
  int64_t begin, end;
};

/// Of every cell the position `offset` behind its first one, and whether it is inside.
struct CellMembers {
  CellMembers(int64_t offset, int64_t cells, int64_t full, at::Device device) {
    std::vector<int64_t> positions;
    std::vector<float> members;
    for (int64_t cell = 0; cell < cells; ++cell) {
      const Span span(cell, cells, full);
      inside |= span.begin + offset < span.end;
      positions.push_back(std::min(span.begin + offset, full - 1));
      members.push_back(span.begin + offset < span.end ? 1.0f : 0.0f);
    }
    position = at::tensor(positions, at::kLong).to(device);
    member = at::tensor(members, at::kFloat).to(device);
  }
  Tensor position;  // [cells] int64
  Tensor member;    // [cells] float32, 1 or 0
  bool inside = false;
};

Tensor cell_sizes(int64_t cells, int64_t full, at::Device device) {
  std::vector<float> sizes;
  for (int64_t cell = 0; cell < cells; ++cell) {
    const Span span(cell, cells, full);
    sizes.push_back(static_cast<float>(span.end - span.begin));
  }
  return at::tensor(sizes, at::kFloat).to(device);
}

Tensor picked_index(int64_t count, int64_t full, Nearest nearest, at::Device device) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < count; ++i) {
    index.push_back(nearest == Nearest::corner ? i * full / count : (2 * i + 1) * full / (2 * count));
  }
  return at::tensor(index, at::kLong).to(device);
}

/// For each frame the nearest one with a mark, the lower on a tie: [T] int64.
Tensor nearest_marked_frame(const Tensor& mask) {
  const Tensor frame = at::arange(mask.size(0), mask.options().dtype(at::kLong));
  const Tensor distance = (frame.unsqueeze(1) - frame.unsqueeze(0)).abs() * mask.size(0) + frame;
  const Tensor empty = mask.flatten(1).amax(1).eq(0);
  return distance.masked_fill(empty.unsqueeze(0), std::numeric_limits<int64_t>::max()).argmin(1);
}

/// Squared distance times N plus index, for each pair of cells of an h x w grid: [h w, h w] int64.
Tensor grid_distances(int64_t h, int64_t w, at::Device device) {
  const Tensor cell = at::arange(h * w, at::TensorOptions(device).dtype(at::kLong));
  const Tensor row = cell.div(w, "floor");
  const Tensor column = cell.remainder(w);
  const auto squares = [](const Tensor& axis) { return (axis.unsqueeze(1) - axis.unsqueeze(0)).square(); };
  return (squares(row) + squares(column)) * (h * w) + cell;
}

Tensor area_mean_kernel(const Tensor& map, const Scale& grid) {
  Tensor mean = at::empty({grid.t, grid.h, grid.w}, map.options());
  cuda::area_mean({.map = map.const_data_ptr<float>(),
                   .mean = mean.data_ptr<float>(),
                   .frames = grid.t,
                   .height = map.size(1),
                   .width = map.size(2),
                   .rows = grid.h,
                   .columns = grid.w},
                  kernel_stream({map}));
  return mean;
}

}  // namespace

Tensor reference::area_mean(const Tensor& map, const Scale& grid) {
  Tensor sum = at::zeros({map.size(0), grid.h, grid.w}, map.options());
  for (int64_t y = 0;; ++y) {
    const CellMembers rows(y, grid.h, map.size(1), map.device());
    if (!rows.inside) break;
    for (int64_t x = 0;; ++x) {
      const CellMembers columns(x, grid.w, map.size(2), map.device());
      if (!columns.inside) break;
      const Tensor inside = at::outer(rows.member, columns.member);
      const Tensor values = map.index_select(1, rows.position).index_select(2, columns.position);
      sum = at::where(inside.gt(0), sum + values, sum);
    }
  }
  return sum / at::outer(cell_sizes(grid.h, map.size(1), map.device()), cell_sizes(grid.w, map.size(2), map.device()));
}

Tensor area_mean(const Tensor& map, const Scale& grid) {
  TORCH_CHECK(map.dim() == 3 && map.scalar_type() == at::kFloat && map.size(0) == grid.t,
              "area_mean: map [T, H, W] float32");
  if (use_kernels(map)) return area_mean_kernel(map.contiguous(), grid);
  return reference::area_mean(map, grid);
}

Tensor pick_positions(const Tensor& map, const Scale& grid, Nearest nearest) {
  return map.index_select(1, picked_index(grid.h, map.size(1), nearest, map.device()))
      .index_select(2, picked_index(grid.w, map.size(2), nearest, map.device()));
}

Tensor spread_tokens(const Tensor& map, const Scale& full) {
  return pick_positions(map, {full.t, full.h, full.w}, Nearest::centre);
}

Tensor nearest_marked(const Tensor& mask) {
  const int64_t cells = mask.size(1) * mask.size(2);
  const Tensor distance = grid_distances(mask.size(1), mask.size(2), mask.device());
  const Tensor frame = nearest_marked_frame(mask);
  const Tensor unmarked = mask.flatten(1).index_select(0, frame).eq(0);  // [T, h w]
  std::vector<Tensor> nearest;
  for (int64_t t = 0; t < mask.size(0); ++t) {
    const Tensor candidates = distance.masked_fill(unmarked[t].unsqueeze(0), std::numeric_limits<int64_t>::max());
    nearest.push_back(candidates.argmin(1) + frame[t] * cells);
  }
  return at::cat(nearest);
}

}  // namespace faststar
