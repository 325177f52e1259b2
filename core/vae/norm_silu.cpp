#include "core/vae/norm_silu.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "core/device.h"
#include "core/vae/causal_conv3d.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

constexpr double kSmallestNorm = 1e-12;

/// How many frames of x one latent speaks for.
int64_t frames_per_latent(int64_t frames, int64_t latents, bool at_start) {
  if (!at_start) return frames / latents;
  return latents > 1 ? (frames - 1) / (latents - 1) : 1;
}

void check_modulation(const Tensor& x, const Modulation& modulation, bool at_start) {
  const Tensor& factor = modulation.factor;
  TORCH_CHECK(factor.dim() == 5 && factor.sizes() == modulation.offset.sizes() && factor.size(0) == x.size(0) &&
                  factor.size(4) == x.size(4) && factor.dtype() == x.dtype() && modulation.offset.dtype() == x.dtype(),
              "norm_silu: factor and offset ", factor.sizes(), " do not fit x ", x.sizes());
  const int64_t latents = factor.size(1);
  const int64_t lone = at_start ? 1 : 0;
  TORCH_CHECK((latents - lone) * frames_per_latent(x.size(1), latents, at_start) + lone == x.size(1) &&
                  x.size(3) % factor.size(3) == 0 && x.size(2) == x.size(3) / factor.size(3) * factor.size(2),
              "norm_silu: latents ", factor.sizes(), " do not tile x ", x.sizes());
}

void check_norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                     const Tensor& before) {
  TORCH_CHECK(x.dim() == 5 && x.numel() > 0 && gamma.dim() == 1 && gamma.size(0) == x.size(4) &&
                  gamma.scalar_type() == at::kFloat,
              "norm_silu: expected x [B, T, H, W, C] and gamma [C] float32, got ", x.sizes(), " and ", gamma.sizes());
  TORCH_CHECK(!before.defined() || (before.sizes() == at::IntArrayRef{x.size(0), 2, x.size(2), x.size(3), x.size(4)} &&
                                    before.dtype() == x.dtype()),
              "norm_silu: frames before x do not fit ", x.sizes());
  if (modulation) check_modulation(x, *modulation, !before.defined());
}

/// x * factor + offset where every latent speaks for an equal block of frames and pixels.
Tensor modulate_blocks(const Tensor& x, const Tensor& factor, const Tensor& offset) {
  const int64_t B = x.size(0), C = x.size(4), n = factor.size(1), h = factor.size(2), w = factor.size(3);
  const auto spread = [&](const Tensor& latents) { return latents.reshape({B, n, 1, h, 1, w, 1, C}); };
  const Tensor blocks = x.reshape({B, n, x.size(1) / n, h, x.size(2) / h, w, x.size(3) / w, C});
  return at::addcmul(spread(offset), blocks, spread(factor)).reshape(x.sizes());
}

Tensor modulate(const Tensor& x, const Modulation& modulation, bool at_start) {
  const Tensor factor = modulation.factor.to(at::kFloat);
  const Tensor offset = modulation.offset.to(at::kFloat);
  const int64_t T = x.size(1), n = factor.size(1);
  if (!at_start || T == n) return modulate_blocks(x, factor, offset);
  const Tensor first = modulate_blocks(x.narrow(1, 0, 1), factor.narrow(1, 0, 1), offset.narrow(1, 0, 1));
  const Tensor rest = modulate_blocks(x.narrow(1, 1, T - 1), factor.narrow(1, 1, n - 1), offset.narrow(1, 1, n - 1));
  return at::cat({first, rest}, 1);
}

/// True when nothing has to be differentiated and the kernel has a variant for these channels.
bool kernel_takes(const Tensor& x, const Tensor& gamma) {
  if constexpr (kBuiltWithCuda) {
    if (!use_kernels(x) || (c10::GradMode::is_enabled() && gamma.requires_grad())) return false;
    return cuda::norm_silu_takes(x.size(4), float_type(x));
  }
  return false;
}

/// One video, [T, H, W, C] and so on, into `extended` [2 + T, H, W, C].
void launch_norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                      const Tensor& before, const Tensor& extended) {
  cuda::NormSilu op{.x = x.const_data_ptr(),
                    .gamma = gamma.const_data_ptr<float>(),
                    .factor = nullptr,
                    .offset = nullptr,
                    .before = before.defined() ? before.const_data_ptr() : nullptr,
                    .extended = extended.mutable_data_ptr(),
                    .frames = x.size(0),
                    .height = x.size(1),
                    .width = x.size(2),
                    .channels = x.size(3),
                    .latent_height = 1,
                    .latent_width = 1,
                    .frames_per_latent = 1,
                    .pixels_per_latent = 1};
  if (modulation) {
    op.factor = modulation->factor.const_data_ptr();
    op.offset = modulation->offset.const_data_ptr();
    op.latent_height = modulation->factor.size(1);
    op.latent_width = modulation->factor.size(2);
    op.pixels_per_latent = op.width / op.latent_width;
    op.frames_per_latent = frames_per_latent(op.frames, modulation->factor.size(0), !before.defined());
  }
  if constexpr (kBuiltWithCuda) cuda::norm_silu(op, float_type(x), cuda::current_stream());
}

/// A tensor that a kernel may read 16 bytes at a time.
Tensor aligned(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return reinterpret_cast<uintptr_t>(dense.const_data_ptr()) % 16 == 0 ? dense : dense.clone();
}

Tensor run_kernel(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                  const Tensor& before) {
  const Tensor source = aligned(x), weight = aligned(gamma), history = before.defined() ? aligned(before) : before;
  std::optional<Modulation> steering;
  if (modulation) steering = Modulation{aligned(modulation->factor), aligned(modulation->offset)};
  const Tensor extended = at::empty({x.size(0), 2 + x.size(1), x.size(2), x.size(3), x.size(4)}, source.options());
  for (int64_t b = 0; b < x.size(0); ++b) {
    std::optional<Modulation> own;
    if (steering) own = Modulation{steering->factor[b], steering->offset[b]};
    launch_norm_silu(source[b], weight, own, history.defined() ? history[b] : history, extended[b]);
  }
  return extended;
}

}  // namespace

Tensor reference::norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                            const Tensor& before) {
  const Tensor wide = x.to(at::kFloat);
  const Tensor length = at::linalg_vector_norm(wide, 2, {-1}, /*keepdim=*/true).clamp_min(kSmallestNorm);
  const Tensor unit = wide * (std::sqrt(static_cast<double>(x.size(4))) / length) * gamma;
  const Tensor steered = modulation ? modulate(unit, *modulation, !before.defined()) : unit;
  return extend_in_time(at::silu(steered).to(x.dtype()), before);
}

Tensor norm_silu(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                 const Tensor& before) {
  check_norm_silu(x, gamma, modulation, before);
  if (kernel_takes(x, gamma)) return run_kernel(x, gamma, modulation, before);
  return reference::norm_silu(x, gamma, modulation, before);
}

}  // namespace faststar
