#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Tables of shapes reach this far from the centre in every direction; no shape of radius 1 does.
inline constexpr double kShapeReach = 1.5;

/// Signed distances to the outlines of all shapes at radius 1, negative inside, in the order of Shape:
/// [shapes, 1, size, size] float32 on the CPU; row and column i are at (2 i / (size - 1) - 1) kShapeReach,
/// y down. Exact for ball and ring, elsewhere near the outline and too small in magnitude beyond corners.
Tensor shape_distances(int64_t size);

}  // namespace faststar
