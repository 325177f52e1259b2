#pragma once
#include "core/lab/verify/comparison.h"
#include "core/lab/verify/fixture_set.h"
#include "core/lab/verify/verify.h"

// One function per component; its files must exist.
namespace faststar {

ComponentResult verify_t5(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_tokenizer(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_schedules(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_guidance(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_star_greedy(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_star_forced(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_star_i2v(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_star_three_clips(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_star_v2v(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_star_interactive(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_vae_encode(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_vae_decode(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_quantize(const FixtureSet& set, const VerifyOptions& options);
ComponentResult verify_images(const FixtureSet& set, const VerifyOptions& options);

/// All slices of a decode by the processes of `options`, joined: [1, 3, F, H, W].
Tensor decode_whole(const VideoVae& vae, const Tensor& features, const VerifyOptions& options);

/// Frames [F, H, W, 3] in the official output form, BGR: [1, F, H, W, 3].
Tensor official_frames(const Tensor& decoded);

/// Every `stride`-th element of dimension `dim`.
Tensor every(const Tensor& tensor, int64_t dim, int64_t stride);

/// The entries `indices` of dimension `dim`.
Tensor pick(const Tensor& tensor, int64_t dim, const std::vector<int64_t>& indices);

}  // namespace faststar
