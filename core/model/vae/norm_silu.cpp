#include "core/model/vae/norm_silu.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/model/vae/causal_conv3d.h"
#include "core/model/vae/norm_silu_kernel.h"

namespace faststar {
namespace {

constexpr double kSmallestNorm = 1e-12;

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
  if (norm_silu_kernel_takes(x)) return norm_silu_kernel(x, gamma, modulation, before);
  return reference::norm_silu(x, gamma, modulation, before);
}

}  // namespace faststar
