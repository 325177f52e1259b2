#include "core/lab/heatmap/colour_map.h"

#include <ATen/ATen.h>

#include <limits>

namespace faststar {
namespace {

constexpr int64_t kPoints = 9;
// viridis at 0, 1/8, ..., 1.
constexpr float kViridis[kPoints][3] = {{68, 1, 84},    {71, 44, 122}, {59, 81, 139},  {44, 113, 142}, {33, 144, 141},
                                        {39, 173, 129}, {92, 200, 99}, {170, 220, 50}, {253, 231, 37}};

}  // namespace

Tensor viridis(const Tensor& values) {
  const Tensor colours = at::empty({kPoints, 3}, at::kFloat);
  std::copy_n(&kViridis[0][0], kPoints * 3, colours.mutable_data_ptr<float>());
  const Tensor place = values.nan_to_num(1).clamp(0, 1) * (kPoints - 1);
  const Tensor below = place.floor().clamp_max(kPoints - 2);
  const Tensor share = (place - below).unsqueeze(-1);
  const Tensor lower = below.to(at::kLong).flatten();
  auto shape = values.sizes().vec();
  shape.push_back(3);
  const Tensor start = colours.index_select(0, lower).view(shape);
  const Tensor end = colours.index_select(0, lower + 1).view(shape);
  return (start + share * (end - start)).round().to(at::kByte);
}

}  // namespace faststar
