#pragma once
#include <optional>

#include "core/base/weights/weights.h"
#include "core/model/quantize.h"

/// What the layers of the transformer and of T5 share.
namespace faststar {

/// y = x W^T + b, as torch.nn.Linear: `<prefix>.weight` [out, in] and, when asked for, `<prefix>.bias` [out].
struct Linear {
  enum class Bias { absent, present };

  /// In one dtype: that of the weights, or another (the fp32 heads of a bf16 backbone).
  Linear(const Weights& weights, const std::string& prefix, int64_t in, int64_t out, Bias has_bias,
         std::optional<at::ScalarType> dtype = {});
  /// Of layers that read the same rows: their results lie beside each other. The tensors are
  /// `<prefix>.<layer>.weight`. Rounded to E4M3 while they load, where `precision` says so.
  Linear(const Weights& weights, const std::string& prefix, const FusedLayers& layers, int64_t in, Bias has_bias,
         LinearPrecision precision);
  Linear(const Tensor& weight, const Tensor& bias) : weight(weight), bias(bias), dtype(weight.scalar_type()) {}

  /// x [..., in] -> [..., out] in `dtype`, in E4M3 when x is or when the layer has no other weight. Other rows are
  /// first converted as the weight is, a float32 residual stream to bfloat16.
  Tensor operator()(const ScaledRows& x) const;

  Tensor weight;                  // [out, in]; undefined in a layer that has E4M3 alone
  std::optional<ScaledRows> fp8;  // the same rounded to E4M3
  std::optional<Tensor> bias;     // [out]
  at::ScalarType dtype;           // of results
};

/// x W^T + b, as at::linear: x [..., in], weight [out, in], bias [out] or none; all of one dtype -> [..., out]. In
/// float32 on a CPU oneDNN multiplies, which on AMD's processors takes half the time of the MKL that at::linear calls;
/// not where gradients are recorded or with Kernels::reference.
Tensor linear_product(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias = {});

/// True when linear_product() has oneDNN multiply tensors like x.
bool multiplies_with_onednn(const Tensor& x);

/// How many of the tensors `<prefix>0<suffix>`, `<prefix>1<suffix>`, ... the weights hold before the first gap.
int64_t count_layers(const Weights& weights, const std::string& prefix, const std::string& suffix);

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in float32 and rounded once to the
/// dtype of `x` (T5LayerNorm, Qwen's RMSNorm: infinity/models/basic.py).
/// x [..., C] float32 or bfloat16; weight [C] float32. Returns shape and dtype of `x`.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);

/// A residual stream and its norm.
struct SumAndNorm {
  Tensor sum;
  ScaledRows normed;
};
/// sum = x + branch, rounded once, and rms_norm(sum): on a GPU in one pass over both. An undefined branch adds nothing.
/// x, branch [..., C]; sum has the dtype that ATen gives a sum of them, and so has the norm.
SumAndNorm add_rms_norm(const Tensor& x, const Tensor& branch, const Tensor& weight, double eps);
/// The same with quantize_rows(rms_norm(sum)).
SumAndNorm add_rms_norm_fp8(const Tensor& x, const Tensor& branch, const Tensor& weight, double eps);

/// Rotation of each token's channel pairs: cos and sin, [L, D/2] float32 each.
struct Rope {
  Tensor cos;
  Tensor sin;
};

/// RMS norm of every head, then the rotation of its interleaved pairs (2p, 2p+1):
/// (e, o) -> (e cos - o sin, o cos + e sin).
/// x [B, L, N, D] float32 or bfloat16; weight [D] float32; rope [L, D/2]. Returns shape and dtype of `x`.
/// In bfloat16 the norm's result and the first product are rounded, as the official in-place code does.
/// Source: q_norm / k_norm of infinity/models/basic.py, apply_rotary_emb of infinity/models/rope.py.
Tensor norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope);

/// Keys and values of a layer: [B, L, kv heads, D] each.
struct LayerKv {
  Tensor k, v;
};
/// Queries [B, L, heads, D], keys and values of a layer.
struct QkvHeads {
  Tensor q;
  LayerKv kv;
};
/// The norms of queries and of keys: weights [D] float32.
struct HeadNorms {
  Tensor q, k;
  double eps;
};
/// Splits qkv [B, L, (heads + 2 kv heads) D] and applies norm_rope to queries and keys, on a GPU in one pass. Keys and
/// values are written to `place` when it is given; its rows of tokens may lie apart, as in a longer buffer. Nothing is
/// differentiated through it then.
QkvHeads split_qkv(const Tensor& qkv, int64_t kv_heads, const HeadNorms& norms, const Rope& rope,
                   const LayerKv& place = {});

/// silu(gate) * up, element by element; in bfloat16 silu's result is rounded first, as the official code does.
/// gate_up [..., 2 F] float32 or bfloat16: gate and up beside each other -> [..., F].
/// Source: SwiGLU MLP of infinity/models/basic.py.
Tensor swiglu(const Tensor& gate_up);
/// quantize_rows(swiglu(gate_up)), on a GPU in one pass over its input.
ScaledRows swiglu_fp8(const Tensor& gate_up);

namespace reference {
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);
Tensor norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope);
QkvHeads split_qkv(const Tensor& qkv, int64_t kv_heads, const HeadNorms& norms, const Rope& rope);
Tensor swiglu(const Tensor& gate_up);
}  // namespace reference

}  // namespace faststar
