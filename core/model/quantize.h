#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/tensor.h"

/// 8-bit linear layers: rows in E4M3 (float8_e4m3fn) with a scale each, and the product of two sets of rows.
namespace faststar {

/// In what the linear layers of the transformer can multiply: the dtype of the backbone, E4M3 with a scale for each row
/// of the weight and of what it reads, or either, as each pass says. What a layer can, it has weights for.
enum class LinearPrecision { backbone, fp8, both };

/// The largest number of E4M3.
inline constexpr double kLargestE4m3 = 448;

/// Rows of activations, or of a weight, as a linear layer multiplies them: as they are, or rounded to E4M3.
struct ScaledRows {
  ScaledRows(Tensor values, Tensor scale = {}) : values(std::move(values)), scale(std::move(scale)) {}
  bool is_fp8() const { return scale.defined(); }
  /// The rows in order, whatever dimensions they lie in: [rows, C].
  ScaledRows flattened() const;
  /// At most `count` rows each; `this` is flattened.
  std::vector<ScaledRows> split(int64_t count) const;

  Tensor values;  ///< [..., C]
  Tensor scale;   ///< [..., 1] float32: values * scale is what was rounded; undefined: values are not rounded
};

/// Rounds every row of x [..., C], float32 or bfloat16, to E4M3; its scale is its largest magnitude / 448, so that
/// this becomes the largest number of E4M3.
ScaledRows quantize_rows(const Tensor& x);

/// What is computed of x before it is rounded, in the same pass over it: nothing, the RMS norm of x or of x + branch,
/// or silu(gate) * up.
struct BeforeRounding {
  Tensor norm_weight = {};  ///< [C] float32
  double norm_eps = 0;
  Tensor branch = {};  ///< as x: is added before the norm
  Tensor sum = {};     ///< as x: where x + branch is written
  bool gated = false;  ///< x [..., 2 F] is gate and up beside each other; the rows are [..., F] then
};
/// The rounded rows of that; nothing where there is no kernel for rows like x.
std::optional<ScaledRows> quantize_rows_by_kernel(const Tensor& x, const BeforeRounding& before = {});

/// x W^T in `dtype`: x [..., in], weight [out, in], both rounded -> [..., out]. Sums are float32, or the narrower ones
/// of the GPU's matrix units where those compute it (sizes that are multiples of 16).
Tensor fp8_product(const ScaledRows& x, const ScaledRows& weight, at::ScalarType dtype);

/// What keeps 8-bit linear layers from running on a device: "needs a GPU of compute capability 8.9 or newer, but ...";
/// nothing when they can. On a CPU they run all the same, in float32 arithmetic, for tests.
std::optional<std::string> fp8_obstacle(at::Device device);

namespace reference {
ScaledRows quantize_rows(const Tensor& x);
Tensor fp8_product(const ScaledRows& x, const ScaledRows& weight, at::ScalarType dtype);
}  // namespace reference

}  // namespace faststar
