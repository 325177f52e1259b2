#include "core/model/star/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/model/layers.h"
#include "core/model/quantize.h"
#include "core/model/star/fa3.h"
#include "cuda/kernels.h"
#include "cuda/runtime.h"

namespace faststar {
namespace {

/// cuDNN builds a plan for every new shape (23-37 ms); below this many queries that costs more than it saves.
constexpr int64_t kCudnnMinQueries = 640;
/// FlashAttention-3 builds no plans. On an H200 it is as fast as ATen from 15 queries on, and twice as fast for 20 to
/// 300 queries over the 3,700 keys of a 720p video clip (bench ops).
constexpr int64_t kFa3MinQueries = 16;

const char* const kInstallFa3 = "./scripts/setup.sh --with-fa3";

bool is_half(at::ScalarType dtype) { return dtype == at::kBFloat16 || dtype == at::kHalf; }

std::optional<AttentionObstacle> gpu_obstacle(at::Device device, at::ScalarType dtype, bool dtype_fits) {
  if (!device.is_cuda()) return AttentionObstacle{"needs a GPU, but the device is the CPU", "--attention auto"};
  if (dtype_fits) return std::nullopt;
  return AttentionObstacle{fmt::format("needs bf16, but the precision is {}", dtype_text(dtype)),
                           "--precision bf16, or --attention auto"};
}

std::optional<AttentionObstacle> fa3_obstacle(at::Device device, at::ScalarType dtype) {
  if (auto obstacle = gpu_obstacle(device, dtype, dtype == at::kBFloat16)) return obstacle;
  if (const int capability = gpu_capability(device); !fa3::runs_on_capability(capability)) {
    return AttentionObstacle{fmt::format("needs a GPU of compute capability 9.x, but {} has {}.{}", device_name(device),
                                         capability / 10, capability % 10),
                             "--attention auto"};
  }
  if (const std::string& problem = fa3::why_not_loaded(); !problem.empty()) {
    return AttentionObstacle{problem, kInstallFa3};
  }
  return std::nullopt;
}

bool fits_cudnn(const Tensor& q) { return q.is_cuda() && is_half(q.scalar_type()) && q.size(-1) % 8 == 0; }

/// Heads of FlashAttention-3 have at most 256 channels in groups of 8, or of 16 in FP8.
bool fits_fa3(const Tensor& q, AttentionPrecision precision) {
  const int64_t step = precision == AttentionPrecision::fp8 ? 16 : 8;
  return q.size(-1) % step == 0 && q.size(-1) <= 256 && !fa3_obstacle(q.device(), q.scalar_type());
}

AttentionBackend choose(const Tensor& q, AttentionPrecision precision) {
  if (!fits_cudnn(q) || needs_gradient({q})) return AttentionBackend::aten;
  if (q.size(1) >= kFa3MinQueries && fits_fa3(q, precision)) return AttentionBackend::fa3;
  return q.size(1) >= kCudnnMinQueries ? AttentionBackend::cudnn : AttentionBackend::aten;
}

/// Who attends, when that is possible at all.
AttentionBackend backend_for(const Tensor& q, const Tensor& k, AttentionSettings settings) {
  if (settings.backend == AttentionBackend::automatic) return choose(q, settings.precision);
  // cuDNN refuses a single key; one key needs no softmax, so who computes it cannot matter.
  if (settings.backend == AttentionBackend::cudnn && k.size(1) == 1) return AttentionBackend::aten;
  if (const auto obstacle = attention_obstacle(settings, q.device(), q.scalar_type())) {
    fail(ErrorKind::device, fmt::format("attention: {}", obstacle->message), obstacle->hint);
  }
  return settings.backend;
}

Tensor attend_cudnn(const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  return std::get<0>(at::_scaled_dot_product_cudnn_attention(q, k, v, /*attn_bias=*/std::nullopt,
                                                             /*compute_log_sumexp=*/false, /*dropout_p=*/0.0,
                                                             /*is_causal=*/false, /*return_debug_mask=*/false, scale));
}

/// Queries that attend_by_products scores at a time: then the scores stay in a core's cache.
constexpr int64_t kScoredQueries = 256;
/// With fewer queries a pass has too little work to share out.
constexpr int64_t kMinScoredQueries = 64;

bool takes_products(const Tensor& q) {
  return multiplies_with_onednn(q) && q.size(2) >= kMinScoredQueries && !needs_gradient({q});
}

/// attend_aten by matrix products in float32 on a CPU: ATen's kernel multiplies with MKL (see linear_product).
Tensor attend_by_products(const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  const int64_t kv_heads = k.size(1), group = q.size(1) / kv_heads;
  const Tensor queries = (q * scale).reshape({q.size(0), kv_heads, group * q.size(2), q.size(3)}).contiguous();
  const Tensor keys = k.contiguous(), values = v.transpose(2, 3).contiguous();  // [B, kv heads, K, D], [.., D, K]
  const Tensor attended = at::empty_like(queries);
  const int64_t pieces = (queries.size(2) + kScoredQueries - 1) / kScoredQueries;
  at::parallel_for(0, q.size(0) * kv_heads * pieces, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::AutoDispatchBelowADInplaceOrView no_gradients;  // a thread has its own switches
    for (int64_t task = begin; task < end; ++task) {
      const int64_t head = task / pieces, first = task % pieces * kScoredQueries;
      const auto of_head = [&](const Tensor& x) { return x.flatten(0, 1).select(0, head); };
      const auto piece = [&](const Tensor& x) {
        return of_head(x).narrow(0, first, std::min(kScoredQueries, queries.size(2) - first));
      };
      const Tensor weights = at::softmax(linear_product(piece(queries), of_head(keys)), -1);
      piece(attended).copy_(linear_product(weights, of_head(values)));
    }
  });
  return attended.view({q.size(0), q.size(1), q.size(2), q.size(3)});
}

Tensor attend_aten(const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  if (takes_products(q)) return attend_by_products(q, k, v, scale);
  // In float32 only the kernel without grouped heads spares the GPU a matrix of all scores.
  const int64_t group = q.size(1) / k.size(1);
  const bool expand = q.is_cuda() && q.scalar_type() == at::kFloat && group > 1;
  return at::scaled_dot_product_attention(q, expand ? k.repeat_interleave(group, 1) : k,
                                          expand ? v.repeat_interleave(group, 1) : v, /*attn_mask=*/std::nullopt,
                                          /*dropout_p=*/0.0, /*is_causal=*/false, scale, /*enable_gqa=*/!expand);
}

/// Tokens that quantize_heads scales at a time: what it holds beside its result.
constexpr int64_t kQuantizedTokens = 8192;

}  // namespace

std::optional<AttentionObstacle> attention_obstacle(AttentionSettings settings, at::Device device,
                                                    at::ScalarType dtype) {
  const bool fp8 = settings.precision == AttentionPrecision::fp8;
  switch (settings.backend) {
    case AttentionBackend::automatic: return fp8 ? fa3_obstacle(device, dtype) : std::nullopt;
    case AttentionBackend::fa3: return fa3_obstacle(device, dtype);
    default: break;
  }
  if (fp8) return AttentionObstacle{"FP8 needs FlashAttention-3", "--attention fa3, or --attention-precision bf16"};
  if (settings.backend == AttentionBackend::cudnn) return gpu_obstacle(device, dtype, is_half(dtype));
  return std::nullopt;
}

AttentionBackend main_backend(AttentionSettings settings, at::Device device, at::ScalarType dtype) {
  if (settings.backend != AttentionBackend::automatic) return settings.backend;
  if (!device.is_cuda() || !is_half(dtype)) return AttentionBackend::aten;
  return fa3_obstacle(device, dtype) ? AttentionBackend::cudnn : AttentionBackend::fa3;
}

std::string attention_text(AttentionSettings settings, at::Device device, at::ScalarType dtype) {
  const char* const fa3 = settings.precision == AttentionPrecision::fp8 ? "fa3 in fp8" : "fa3";
  switch (settings.backend) {
    case AttentionBackend::fa3: return fa3;
    case AttentionBackend::cudnn: return "cudnn";
    case AttentionBackend::aten: return "aten";
    default: break;
  }
  if (!device.is_cuda() || !is_half(dtype)) return "aten";
  const auto obstacle = fa3_obstacle(device, dtype);
  if (!obstacle) return fmt::format("{} from {} tokens, else aten", fa3, kFa3MinQueries);
  return fmt::format("cudnn from {} tokens, else aten; no fa3: {}", kCudnnMinQueries, obstacle->message);
}

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, AttentionSettings settings) {
  const AttentionBackend backend = backend_for(q, k, settings);
  if (backend == AttentionBackend::fa3) {
    return settings.precision == AttentionPrecision::fp8 ? fa3::attend_fp8(q, k, v) : fa3::attend(q, k, v);
  }
  const auto heads_first = [](const Tensor& t) { return t.transpose(1, 2); };  // [B, N, L, D], a view
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
  const auto& compute = backend == AttentionBackend::cudnn ? attend_cudnn : attend_aten;
  return compute(heads_first(q), heads_first(k), heads_first(v), scale).transpose(1, 2);
}

QuantizedHeads reference::quantize_heads(const Tensor& x, int64_t groups) {
  const Tensor grouped = x.unflatten(2, {groups, -1});  // [B, L, groups, heads, D]
  const Tensor largest = at::linalg_vector_norm(grouped, std::numeric_limits<double>::infinity(), {1, 3, 4});
  const Tensor tiniest = at::full({}, std::numeric_limits<float>::min(), largest.options().dtype(at::kFloat));
  const auto [mantissa, exponent] = at::frexp((largest.to(at::kFloat) / kLargestE4m3).maximum(tiniest));
  const Tensor descale = at::ldexp(at::ones_like(mantissa), exponent - mantissa.eq(0.5).to(exponent.dtype()));
  const Tensor factor = descale.reciprocal().to(x.scalar_type()).view({x.size(0), 1, groups, 1, 1});
  QuantizedHeads quantized{at::empty(x.sizes(), x.options().dtype(at::kFloat8_e4m3fn)), descale};
  const Tensor values = quantized.values.view(grouped.sizes());
  for (int64_t from = 0; from < x.size(1); from += kQuantizedTokens) {
    const int64_t count = std::min(kQuantizedTokens, x.size(1) - from);
    values.narrow(1, from, count).copy_(grouped.narrow(1, from, count) * factor);
  }
  return quantized;
}

namespace {

/// True when the kernel can read heads like these: [B, L, N, D] with contiguous rows, in whole aligned vectors.
bool reads_heads(const Tensor& x, int64_t groups) {
  const int64_t vector = 16 / x.element_size();
  const int64_t group_width = x.size(2) / groups * x.size(3);
  return use_kernels(x) && x.numel() > 0 && x.select(0, 0).is_contiguous() && x.stride(0) % vector == 0 &&
         group_width % vector == 0 && reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

QuantizedHeads quantize_heads_kernel(const Tensor& x, int64_t groups) {
  const auto options = x.options();
  QuantizedHeads quantized{at::empty(x.sizes(), options.dtype(at::kFloat8_e4m3fn)),
                           at::empty({x.size(0), groups}, options.dtype(at::kFloat))};
  const Tensor largest = at::empty({x.size(0), groups}, options.dtype(at::kInt));
  cuda::quantize_heads({.values = quantized.values.mutable_data_ptr(),
                        .descale = quantized.descale.mutable_data_ptr<float>(),
                        .largest = largest.mutable_data_ptr<int>(),
                        .x = x.const_data_ptr(),
                        .batch = x.size(0),
                        .tokens = x.size(1),
                        .groups = groups,
                        .group_width = x.size(2) / groups * x.size(3),
                        .batch_stride = x.stride(0)},
                       float_type(x), kernel_stream({quantized.values, quantized.descale, largest}));
  return quantized;
}

}  // namespace

QuantizedHeads quantize_heads(const Tensor& x, int64_t groups) {
  return reads_heads(x, groups) ? quantize_heads_kernel(x, groups) : reference::quantize_heads(x, groups);
}

Tensor reference::attend_fp8(const Tensor& q, const Tensor& k, const Tensor& v) {
  const int64_t groups = k.size(2);
  const auto rounded = [&](const Tensor& x) {
    const QuantizedHeads quantized = faststar::quantize_heads(x, groups);
    const Tensor descale = quantized.descale.repeat_interleave(x.size(2) / groups, 1);  // [B, N]
    return quantized.values.to(at::kFloat) * descale.view({x.size(0), 1, x.size(2), 1});
  };
  return faststar::attend(rounded(q), rounded(k), rounded(v), AttentionBackend::aten).to(q.scalar_type());
}

}  // namespace faststar
