#pragma once
#include <optional>
#include <string>

#include "core/base/tensor.h"

namespace faststar {

/// Who computes attention (`--attention`). `automatic`: on a GPU in bfloat16 FlashAttention-3 where its library is
/// found, else cuDNN, for passes that are long enough; else ATen.
enum class AttentionBackend { automatic, fa3, cudnn, aten };

/// In what attention multiplies (`--attention-precision`). fp8: E4M3 queries, keys and values in every pass that
/// FlashAttention-3 computes. `automatic`: E4M3 in the passes whose linear layers multiply in it and that have at least
/// kFp8MinQueries tokens, else the precision of the tensors.
enum class AttentionPrecision { automatic, bf16, fp8 };

/// Shorter passes lose more by rounding than E4M3 saves (an H200, bench ops).
inline constexpr int64_t kFp8MinQueries = 2048;

struct AttentionSettings {
  AttentionBackend backend = AttentionBackend::automatic;
  AttentionPrecision precision = AttentionPrecision::automatic;

  AttentionSettings() = default;
  /// A backend alone says all but the precision.
  AttentionSettings(AttentionBackend chosen, AttentionPrecision in = AttentionPrecision::automatic)
      : backend(chosen), precision(in) {}
};

/// Why attention cannot run as asked, and what to do about it.
struct AttentionObstacle {
  std::string message;  ///< "needs a GPU, but the device is the CPU"
  std::string hint;
};

/// What keeps the settings from attending to tensors of `dtype` on `device` in this process; none: they can. Loads the
/// library of FlashAttention-3 when that is all that is left to check.
std::optional<AttentionObstacle> attention_obstacle(AttentionSettings settings, at::Device device,
                                                    at::ScalarType dtype);

/// Who attends there in passes that are long enough; never `automatic`.
AttentionBackend main_backend(AttentionSettings settings, at::Device device, at::ScalarType dtype);

/// What `settings` mean there, for people: "fa3 from 16 tokens, else aten".
std::string attention_text(AttentionSettings settings, at::Device device, at::ScalarType dtype);

/// softmax(q k^T / sqrt(D)) v without a mask; query head i reads kv head i / (N / Nkv).
/// q [B, L, N, D]; k, v [B, K, Nkv, D], all of one dtype; rows of tokens may lie apart. Returns [B, L, N, D].
/// Throws Error(device) when the settings cannot run there.
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, AttentionSettings settings);

/// A tensor in E4M3 with a scale for each row and group of heads.
struct QuantizedHeads {
  Tensor values;   ///< [B, L, N, D] float8_e4m3fn
  Tensor descale;  ///< [B, groups] float32, powers of two: values * descale is what was rounded
};

/// Rounds x [B, L, N, D] to E4M3. The N / groups neighbouring heads of a group share a scale, from their largest value.
/// A power of two, so that scaling adds no error of its own.
QuantizedHeads quantize_heads(const Tensor& x, int64_t groups);

namespace reference {
QuantizedHeads quantize_heads(const Tensor& x, int64_t groups);
/// attend() with q, k and v rounded by quantize_heads, a scale for each row and kv head, and otherwise the arithmetic
/// of float32. FlashAttention-3 also rounds the softmax to E4M3.
Tensor attend_fp8(const Tensor& q, const Tensor& k, const Tensor& v);
}  // namespace reference

}  // namespace faststar
