#pragma once
#include "core/model/vae/norm_silu.h"

namespace faststar {

/// True when the kernels have a variant for x. Always false in a build without CUDA.
bool norm_silu_kernel_takes(const Tensor& x);

/// norm_silu on a GPU, for an x that the kernels take; arguments are those of norm_silu, which has checked them.
/// Differentiable, with a kernel of its own for the gradients.
Tensor norm_silu_kernel(const Tensor& x, const Tensor& gamma, const std::optional<Modulation>& modulation,
                        const Tensor& before);

/// How many frames of x one latent speaks for.
int64_t frames_per_latent(int64_t frames, int64_t latents, bool at_start);

}  // namespace faststar
